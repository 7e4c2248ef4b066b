/**
 * The bytes that a new file gets: all at once, or in pieces from somebody who may fail to deliver them.
 *
 * A deliverer's failure is not the disk's: it is marked here, carried past the place where the disk's errors
 * become values, and thrown on as it was.
 */

export type FileContent = Uint8Array | AsyncIterable<Uint8Array>

export class ContentThrew extends Error {
  readonly thrown: unknown
  constructor(thrown: unknown) {
    super("the content could not be delivered")
    this.thrown = thrown
  }
}

/** Content that is there already is one piece. */
export async function* piecesOf(content: FileContent): AsyncIterable<Uint8Array> {
  if (content instanceof Uint8Array) {
    yield content
    return
  }
  try {
    yield* content
  } catch (error) {
    throw new ContentThrew(error)
  }
}

export async function throwingOn<T>(result: Promise<T>): Promise<T> {
  try {
    return await result
  } catch (error) {
    throw error instanceof ContentThrew ? error.thrown : error
  }
}
