/** Waits for a condition, for as long as a busy machine may take. */

const UNTIL_MS_MAX = 20_000
const LOOK_EVERY_MS = 10

export async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  const untilMs = Date.now() + UNTIL_MS_MAX
  while (!(await isSo())) {
    if (Date.now() > untilMs) throw new Error("it never became so")
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS))
  }
}
