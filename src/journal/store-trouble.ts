/** What the journal throws where the world is at fault: a damaged record, a disk that does not take another. */

export class StoreDamaged extends Error {}

export class StoreFailed extends Error {
  readonly errno: string
  constructor(errno: string) {
    super(errno)
    this.errno = errno
  }
}
