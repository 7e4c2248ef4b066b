/**
 * A certificate that nobody vouches for, made when it is needed: `localhost`, signed by itself.
 */

import { generateKeyPairSync, sign } from "node:crypto"

const DER = {
  integer: 0x02,
  bits: 0x03,
  oid: 0x06,
  text: 0x0c,
  time: 0x17,
  sequence: 0x30,
  set: 0x31,
  version: 0xa0,
}
const ECDSA_WITH_SHA256 = [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02]
const COMMON_NAME = [0x55, 0x04, 0x03]

export function selfSigned(): { readonly key: string; readonly cert: string } {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" })
  const algorithm = der("sequence", der("oid", Buffer.from(ECDSA_WITH_SHA256)))
  const attribute = der(
    "sequence",
    der("oid", Buffer.from(COMMON_NAME)),
    der("text", Buffer.from("localhost")),
  )
  const name = der("sequence", der("set", attribute))
  const validity = der("sequence", time("250101000000Z"), time("491231235959Z"))
  const content = der(
    "sequence",
    der("version", der("integer", Buffer.from([2]))),
    der("integer", Buffer.from([1])),
    algorithm,
    name,
    validity,
    name,
    publicKey.export({ type: "spki", format: "der" }),
  )
  const signature = sign("sha256", content, privateKey)
  const certificate = der("sequence", content, algorithm, der("bits", Buffer.from([0]), signature))
  const lines = certificate.toString("base64").replace(/.{64}/g, "$&\n")
  return {
    key: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    cert: `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`,
  }
}

function time(text: string): Buffer {
  return der("time", Buffer.from(text))
}

function der(tag: keyof typeof DER, ...parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts)
  const { length } = body
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.from([DER[tag], ...size]), body])
}
