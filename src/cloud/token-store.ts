/**
 * Where a session finds its tokens: the file that every process of this user shares, or the memory of one that has
 * just logged in and wants to know what its tokens are good for before it keeps them.
 */

import { ok, type Result } from "../model/result.ts"
import { readTokens, removeTokens, type TokenFileFailure, type Tokens, writeTokens } from "./token-file.ts"
import { type LockDeps, withTokenLock } from "./token-lock.ts"

export interface TokenStore {
  /** `undefined` where nobody is logged in. */
  read(): Result<Tokens | undefined, TokenFileFailure>
  write(tokens: Tokens): Result<void, TokenFileFailure>
  /** While the work is done, nobody else who asks for the lock reads or writes. */
  locked<T>(work: () => Promise<T>): Promise<T>
}

export function openTokenFile(deps: LockDeps, file: string): TokenStore {
  return {
    read: () => readTokens(file),
    write: (tokens) => writeTokens(file, tokens),
    locked: (work) => withTokenLock(deps, file, work),
  }
}

export function holdTokens(first: Tokens): TokenStore {
  let tokens = first
  return {
    read: () => ok(tokens),
    write(next) {
      tokens = next
      return ok(undefined)
    },
    locked: (work) => work(),
  }
}

/** After a refresh that may be going on, so that it does not write over the new login. */
export function saveLogin(
  deps: LockDeps,
  file: string,
  tokens: Tokens,
): Promise<Result<void, TokenFileFailure>> {
  return withTokenLock(deps, file, async () => writeTokens(file, tokens))
}

/** True where somebody was logged in. The service keeps its side of the login; this machine forgets it. */
export function logOut(deps: LockDeps, file: string): Promise<Result<boolean, TokenFileFailure>> {
  return withTokenLock(deps, file, async () => removeTokens(file))
}
