/** Paths as the user would write them. */

export function shortenPath(path: string, home: string): string {
  if (path === home) return "~"
  return path.startsWith(`${home}/`) ? `~/${path.slice(home.length + 1)}` : path
}
