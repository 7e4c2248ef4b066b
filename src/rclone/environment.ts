/**
 * What rclone may see of the user's environment. PURE.
 *
 * Of the settings for rclone only those of its configuration and of the storages in use count: a filter or a dry run that
 * was set for other commands would make notes look deleted.
 */

import { type Conf, findSection } from "./conf.ts"
import type { Environment, RcloneVersion } from "./find.ts"

export interface ChildOf {
  readonly environment: Environment
  /** Absent where there is no file that can be read. */
  readonly conf: Conf | undefined
  /** Of the remote that is opened. */
  readonly name: string
  /** Absent where nobody asked, because nothing here depends on it. */
  readonly version?: RcloneVersion
  /** Sent with every request to the storage. */
  readonly headers: Readonly<Record<string, string>>
}

const SETTINGS = /^RCLONE_(CONFIG($|_)|PASSWORD_COMMAND$)/

/** Buckets are never made by us: one that is gone is not to be replaced by an empty one. */
const NEVER_MAKE_BUCKETS = {
  RCLONE_S3_NO_CHECK_BUCKET: "true",
  RCLONE_GCS_NO_CHECK_BUCKET: "true",
  RCLONE_AZUREBLOB_NO_CHECK_CONTAINER: "true",
} as const

/** Requests to a bucket at the same time. */
export const BUCKET_LANES = 64

/**
 * An upload carries its MD5, so the answer says that it arrived; a look after each would say it once more. And as many
 * connections stay open as we have requests at once; of other storages some make larger batches of this number.
 */
const FOR_S3 = { RCLONE_S3_NO_HEAD: "true", RCLONE_TRANSFERS: String(BUCKET_LANES) } as const

/** What it may see is the same for every version but where certificates are named. */
export function dependsOnVersion({ AWS_CA_BUNDLE }: Environment): boolean {
  return AWS_CA_BUNDLE !== undefined
}

export function childEnvironment(at: ChildOf): Readonly<Record<string, string>> {
  const { environment, conf, name, headers } = at
  const kinds = storageKinds(conf)
  const kept = Object.entries(environment).flatMap(([key, value]) => {
    if (value === undefined) return []
    const isKept =
      !key.startsWith("RCLONE_") || SETTINGS.test(key) || kinds.some((kind) => key.startsWith(kind))
    return isKept ? [[key, value] as const] : []
  })
  const sent = Object.entries(headers).map(([header, value]) => `${header}: ${value}`)
  const section = conf === undefined ? undefined : findSection(conf, name)
  // Over plain HTTP rclone would sign the bytes of a stream that it can read once.
  const isS3 = section?.get("type") === "s3"
  const isPlain = isS3 && section.get("endpoint")?.startsWith("http:") === true
  return {
    ...withoutForeignCertificates(Object.fromEntries(kept), at.version),
    ...NEVER_MAKE_BUCKETS,
    ...(isS3 && FOR_S3),
    ...(sent.length > 0 && { RCLONE_HEADER: sent.join(",") }),
    ...(isPlain && { RCLONE_S3_USE_UNSIGNED_PAYLOAD: "true" }),
  }
}

/** Old ones do not start where this names certificates for AWS, and have a name of their own for them. */
function withoutForeignCertificates(
  environment: Readonly<Record<string, string>>,
  version: RcloneVersion | undefined,
): Readonly<Record<string, string>> {
  const { AWS_CA_BUNDLE: bundle, ...rest } = environment
  return version?.isRecommended !== false || bundle === undefined
    ? environment
    : { RCLONE_CA_CERT: bundle, ...rest }
}

/** `RCLONE_S3_` and the like, of the storages that rclone.conf names; an encrypted one tells none. */
function storageKinds(conf: Conf | undefined): readonly string[] {
  return (conf?.blocks ?? []).flatMap(({ entries }) =>
    entries.flatMap(({ key, value }) =>
      key === "type" ? [`RCLONE_${value.toUpperCase().replace(/\W/g, "_")}_`] : [],
    ),
  )
}
