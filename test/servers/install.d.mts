/** Types of install.mjs, which is plain JavaScript so that it runs before anything is installed or built. */

export type ServerName =
  | "rclone"
  | "rclone-oldest"
  | "versitygw"
  | "minio"
  | "ceph"
  | "s3rver"
  | "fauxqs"
  | "python-client"

export type Found =
  | { readonly path: string; readonly reason?: undefined }
  | {
      readonly path?: undefined
      readonly reason: string
      /** No installation would help. */
      readonly isHopeless?: boolean
    }

export const SERVER_NAMES: readonly ServerName[]

export function cacheDirectory(): string
export function findServer(name: ServerName): Found
export function installServer(name: ServerName): Found
