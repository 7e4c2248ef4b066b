import { describe, expect, test } from "vitest"
import { describeError } from "../../src/cli/error-text.ts"
import { spanText } from "../../src/cli/storage-text.ts"
import type { Trouble } from "../../src/index.ts"

interface Row {
  readonly rule: string
  readonly code: Trouble["code"]
  readonly detail?: string
  readonly says: RegExp
  readonly as: string
  readonly exit?: number
  readonly inSetup?: number
  readonly fix: RegExp
}

const ROWS: readonly Row[] = [
  {
    rule: "a missing pair names both variables, and is a refusal where setup cannot ask",
    code: "credentials",
    detail: "missing",
    says: /key pair/,
    as: "credentials",
    inSetup: 4,
    fix: /AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY/,
  },
  {
    rule: "an unknown key is not a wrong secret",
    code: "credentials",
    detail: "InvalidAccessKeyId",
    says: /access key is not known there \(InvalidAccessKeyId\)/,
    as: "credentials",
    fix: /AWS_ACCESS_KEY_ID belongs to this endpoint/,
  },
  {
    rule: "a wrong secret is not an unknown key",
    code: "credentials",
    detail: "SignatureDoesNotMatch",
    says: /secret key is wrong/,
    as: "credentials",
    fix: /AWS_SECRET_ACCESS_KEY again/,
  },
  {
    rule: "another region is not a wrong key",
    code: "credentials",
    detail: "AuthorizationHeaderMalformed",
    says: /region of the remote/,
    as: "credentials",
    fix: /region=name/,
  },
  {
    rule: "a page that is not S3's is told as such",
    code: "nonsense",
    detail: "an object without a body",
    says: /not an S3 server/,
    as: "cloud_unreachable",
    fix: /endpoint/,
  },
  {
    rule: "an expired pair is to be renewed",
    code: "credentials",
    detail: "ExpiredToken",
    says: /have expired/,
    as: "credentials",
    fix: /get new ones/,
  },
  {
    rule: "a key that may not do this says what it must be allowed",
    code: "denied",
    detail: "AccessDenied",
    says: /not allowed to do this \(AccessDenied\)/,
    as: "credentials",
    fix: /list the bucket/,
  },
  {
    rule: "a bucket that is not there is never created",
    code: "no_bucket",
    detail: "NoSuchBucket",
    says: /no such bucket/,
    as: "not_found",
    fix: /create the bucket/,
  },
  {
    rule: "a slow clock says by how much",
    code: "clock",
    detail: "1500000 ms",
    says: /25 minutes behind the cloud's/,
    as: "cloud_unreachable",
    fix: /set-ntp/,
  },
  {
    rule: "a fast clock says by how much",
    code: "clock",
    detail: "-7200000 ms",
    says: /2 hours ahead of the cloud's/,
    as: "cloud_unreachable",
    fix: /set-ntp/,
  },
  {
    rule: "a clock of which only the store's word is known is still named",
    code: "clock",
    detail: "RequestTimeTooSkewed",
    says: /clock of this device is too far off/,
    as: "cloud_unreachable",
    fix: /set-ntp/,
  },
  {
    rule: "a busy store is asked again later",
    code: "busy",
    detail: "SlowDown",
    says: /too busy/,
    as: "cloud_unreachable",
    fix: /later/,
  },
  {
    rule: "a dead server is told with the system's word",
    code: "unreachable",
    detail: "ECONNREFUSED",
    says: /Cannot reach the cloud \(ECONNREFUSED\)/,
    as: "cloud_unreachable",
    fix: /network/,
  },
  {
    rule: "a lease that another device holds is a lock, and names it",
    code: "lease_held",
    detail: "mira-phone",
    says: /Another device is writing to the cloud \(mira-phone\)/,
    as: "lock_held",
    exit: 8,
    inSetup: 8,
    fix: /wait/,
  },
  {
    rule: "a lease that was lost is taken again by the next run",
    code: "lease_lost",
    says: /may not write to the cloud any longer/,
    as: "cloud_unreachable",
    fix: /run it again/,
  },
]

describe("what keeps an object store from answering", () => {
  test.each(ROWS)("$rule", ({ code, detail, says, as, exit = 1, inSetup = 1, fix }) => {
    const trouble: Trouble = { code, path: "s3://notes", ...(detail !== undefined && { detail }) }
    const inRun = describeError({ code: "side_unreadable", side: "remote", trouble })
    const setup = describeError({ code: "setup_failed", what: "use s3://notes as the remote", trouble })
    for (const text of [inRun, setup]) {
      expect(text.code).toBe(as)
      expect(text.message).toMatch(says)
      expect(text.fix.map((each) => `${each.command ?? ""} ${each.text}`).join("\n")).toMatch(fix)
      expect(text.where?.data).toMatchObject({ trouble: code })
    }
    expect([inRun.exit, setup.exit]).toEqual([exit, inSetup])
  })

  test("no two causes share a message", () => {
    const messages = ROWS.map(
      ({ code, detail }) =>
        describeError({
          code: "side_unreadable",
          side: "remote",
          trouble: { code, path: "", ...(detail !== undefined && { detail }) },
        }).message,
    )
    expect(new Set(messages).size).toBe(ROWS.length)
  })

  test("the same trouble in the sync directory speaks of the sync directory", () => {
    const trouble = { code: "denied", path: "a.md" } as const
    expect(describeError({ code: "side_unreadable", side: "local", trouble }).message).toMatch(
      /^Cannot read the sync directory/,
    )
  })

  test("what the server said is shown without control characters", () => {
    const trouble = { code: "unreachable", path: "", detail: "\u001b[31mred" } as const
    expect(describeError({ code: "side_unreadable", side: "remote", trouble }).message).not.toContain(
      "\u001b",
    )
  })

  test("a second device that cannot be kept apart is refused with the flag that allows it", () => {
    const text = describeError({
      code: "confirm_needed",
      what: "A second device on s3://notes",
      flag: "--unsafe-multi-writer",
    })
    expect(text).toMatchObject({ exit: 4, code: "confirm_needed" })
    expect(text.message).toMatch(/cannot keep two devices apart/)
    expect(text.fix.map((fix) => fix.text).join("\n")).toContain("--unsafe-multi-writer")
  })
})

test.each([
  [400, "0.4 s"],
  [59_949, "59.9 s"],
  [60_000, "1 minute"],
  [90 * 60_000, "90 minutes"],
  [3 * 3_600_000, "3 hours"],
  [72 * 3_600_000, "3 days"],
])("a difference of %i ms is %s", (ms, text) => {
  expect(spanText(ms)).toBe(text)
})

test("a run that broke off says that what it wrote stands, and why it ended", () => {
  const trouble = { code: "busy", path: "a.md", detail: "SlowDown" } as const
  const text = describeError({ code: "broken_off", trouble })
  expect(text).toMatchObject({ exit: 1, code: "cloud_unreachable" })
  expect(text.message).toMatch(/too busy/)
  expect(text.why).toMatch(/what it wrote stands/)
})
