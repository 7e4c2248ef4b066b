/** Whether a host, as a URL has it, is this machine: what goes there needs no TLS. PURE. */

export function isLoopback(hostname: string): boolean {
  return hostname === "localhost" || hostname === "[::1]" || /^127(\.\d{1,3}){3}$/.test(hostname)
}
