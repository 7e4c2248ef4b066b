import { createRequire } from "module"; const require = createRequire(import.meta.url);

// src/rclone/child.ts
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";

// src/model/result.ts
function ok(value) {
  return { ok: true, value };
}
function err(error) {
  return { ok: false, error };
}

// src/rclone/child.ts
var START_MS_MAX = 2e4;
var ARGUMENTS = [
  "rcd",
  "--rc-addr=127.0.0.1:0",
  "--rc-serve",
  "--ask-password=false",
  // What failed is sent again by us, who know until when that is allowed.
  "--low-level-retries=1",
  "--retries=1",
  "--contimeout=15s",
  "--timeout=60s",
  "--log-level=NOTICE",
  "--log-file=",
  "--use-json-log=false"
];
var WATCHED = 'exec 3<&0; (cat <&3; kill -9 $$) >/dev/null 2>&1 & exec 3<&-; exec "$0" "$@" </dev/null';
async function startChild({
  program,
  environment
}) {
  const user = randomBytes(16).toString("hex");
  const password = randomBytes(32).toString("hex");
  const env = { ...environment, RCLONE_RC_USER: user, RCLONE_RC_PASS: password };
  const options = { env, stdio: ["pipe", "ignore", "pipe"], windowsHide: true };
  const child = environment["OS"] === "Windows_NT" ? spawn(program, ARGUMENTS, options) : spawn("/bin/sh", ["-c", WATCHED, program, ...ARGUMENTS], options);
  child.stdin.on("error", () => void 0);
  const port2 = await portOf(child);
  if (!port2.ok) {
    end(child);
    return port2;
  }
  child.unref();
  let isAlive = true;
  child.once("exit", () => {
    isAlive = false;
    child.stdin.destroy();
  });
  const { pid = 0 } = child;
  return ok({ port: port2.value, user, password, pid, isAlive: () => isAlive, stop: () => end(child) });
}
function portOf(child) {
  return new Promise((resolve) => {
    let said = "";
    const settle = (result) => {
      clearTimeout(timer);
      resolve(result);
    };
    const failed = (detail) => settle(err({ kind: "unreachable", detail, via: "rclone" }));
    const timer = setTimeout(() => failed("rclone did not start in time"), START_MS_MAX);
    child.once("error", (error) => failed("code" in error ? String(error.code) : "rclone did not start"));
    child.once("exit", (code) => failed(`rclone ended with ${code ?? "a signal"}: ${lastWords(said)}`));
    child.stderr?.setEncoding("utf8");
    child.stderr?.on("data", (text) => {
      if (said.length < 65536) said += text;
      const port2 = /Serving remote control on http:\/\/127\.0\.0\.1:(\d+)\//.exec(said)?.[1];
      if (port2 !== void 0) settle(ok(Number(port2)));
    });
  });
}
function lastWords(said) {
  const line = said.trimEnd().split("\n").at(-1) ?? "";
  return line.replace(/^[\d/]+ [\d:]+ /, "").slice(0, 200);
}
function end(child) {
  child.stdin?.destroy();
  child.stderr?.destroy();
  child.kill("SIGTERM");
}

// src/rclone/failure.ts
var RULES = [
  [/\b(NoSuchBucket)\b/, "no_bucket"],
  [/\b(ExpiredToken\w*|TokenRefreshRequired|token (?:has )?expired)/i, "expired"],
  [
    /\b(InvalidAccessKeyId|XAdminUserNotFound|SignatureDoesNotMatch|InvalidSignature|InvalidToken)\b/,
    "credentials"
  ],
  [
    /\b(invalid_grant|invalid_client|invalid_access_token|empty token found|401 Unauthorized)\b/,
    "credentials"
  ],
  [/\b(unable to authenticate|authentication failed|couldn't fetch token|login required)\b/i, "credentials"],
  [
    /\b(AccessDenied|403 Forbidden|permission denied|insufficientPermissions|status ?code:? 403)\b/i,
    "denied"
  ],
  [/\b(RequestTimeTooSkewed)\b/, "clock"],
  [
    /\b(SlowDown|TooManyRequests|ServiceUnavailable|userRateLimitExceeded|rateLimitExceeded|too_many_requests)\b/,
    "busy"
  ],
  [/\b(status ?code:? (?:429|503))\b/i, "busy"],
  // Of WebDAV: somebody else is at it right now, and it did nothing.
  [/\b(423 Locked)\b/, "busy"],
  [
    /\b(object not found|directory not found|file not found|no such file or directory|NoSuchKey)\b/,
    "not_found"
  ],
  [
    /(connection refused|no such host|i\/o timeout|network is unreachable|no route to host|connection reset|broken pipe|unexpected EOF|context canceled|context deadline exceeded|TLS handshake|x509[^:]*|server misbehaving|use of closed network connection)/,
    "unreachable"
  ],
  [
    /(no space left on device|insufficient ?storage|quota\w* exceeded|storageQuotaExceeded|disk quota)/i,
    "refused"
  ],
  [
    /(file name too long|invalid file ?name|invalid argument|not a directory|is a directory|illegal\w*|400 Bad Request)/i,
    "refused"
  ],
  [/(not supported|not implemented|NotImplemented|method not allowed)/i, "not_implemented"]
];
var UNKNOWN = "unknown";
function failureOf(text, status2) {
  for (const [words, kind] of RULES) {
    const found = words.exec(text);
    if (found !== null)
      return { kind, detail: found[1] ?? found[0], via: "rclone", ...status2 !== void 0 && { status: status2 } };
  }
  return { kind: "unreachable", detail: UNKNOWN, via: "rclone", ...status2 !== void 0 && { status: status2 } };
}

// ../../tmp/ha/e.mts
import { request, createServer } from "node:http";
import { mkdirSync, writeFileSync, rmSync } from "node:fs";
import { execFileSync } from "node:child_process";
rmSync("/tmp/ha/w", { recursive: true, force: true });
mkdirSync("/tmp/ha/w/src/", { recursive: true });
writeFileSync("/tmp/ha/w/src/x", "hello");
var status = 401;
var body = "";
var server = createServer((req, res) => {
  req.resume();
  req.on("end", () => {
    res.writeHead(status, { "content-type": body.startsWith("<") ? "application/xml" : "text/plain" });
    res.end(req.method === "HEAD" ? void 0 : body);
  });
});
server.listen(0, "127.0.0.1");
await new Promise((r) => server.once("listening", r));
var port = server.address().port;
var xml = (code) => `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>msg of ${code}</Message><RequestId>1</RequestId></Error>`;
var CASES = [
  [401, ""],
  [403, ""],
  [404, ""],
  [423, ""],
  [429, ""],
  [500, ""],
  [502, ""],
  [503, ""],
  [507, ""],
  [400, ""],
  [405, ""],
  [409, ""],
  [200, "<html>portal</html>"],
  [403, xml("AccessDenied")],
  [403, xml("InvalidAccessKeyId")],
  [403, xml("SignatureDoesNotMatch")],
  [403, xml("RequestTimeTooSkewed")],
  [400, xml("ExpiredToken")],
  [404, xml("NoSuchBucket")],
  [503, xml("SlowDown")],
  [503, xml("ServiceUnavailable")],
  [429, xml("TooManyRequests")],
  [500, xml("InternalError")],
  [400, xml("KeyTooLongError")],
  [507, xml("InsufficientStorage")],
  [403, xml("QuotaExceeded")]
];
for (const name of ["rclone", "rclone-oldest"]) {
  const program = `/root/.cache/bm-servers/bin/${name}`;
  const pass = execFileSync(program, ["obscure", "x"], { encoding: "utf8" }).trim();
  writeFileSync("/tmp/ha/w/rclone.conf", `[dav]
type = webdav
vendor = other
url = http://127.0.0.1:${port}
user = u
pass = ${pass}
[s3]
type = s3
provider = Other
access_key_id = a
secret_access_key = b
endpoint = http://127.0.0.1:${port}
region = us-east-1
[offs3]
type = s3
provider = Other
access_key_id = a
secret_access_key = b
endpoint = http://127.0.0.1:9
region = us-east-1
[offdav]
type = webdav
vendor = other
url = http://127.0.0.1:9
[nohost]
type = webdav
vendor = other
url = http://no-such-host.invalid
`);
  const child = await startChild({ program, environment: { RCLONE_CONFIG: "/tmp/ha/w/rclone.conf", PATH: process.env.PATH, HOME: "/tmp/ha/w", RCLONE_S3_NO_CHECK_BUCKET: "true", RCLONE_S3_USE_UNSIGNED_PAYLOAD: "true" } });
  if (!child.ok) continue;
  const c = child.value;
  const call = (command, input) => new Promise((resolve) => {
    const body2 = JSON.stringify(input);
    const r = request({ host: "127.0.0.1", port: c.port, auth: `${c.user}:${c.password}`, method: "POST", path: "/" + command, headers: { "content-type": "application/json", "content-length": Buffer.byteLength(body2) } }, (m) => {
      let t = "";
      m.on("data", (d) => t += d);
      m.on("end", () => resolve(m.statusCode + " " + t));
    });
    r.end(body2);
  });
  const cfg = { IgnoreTimes: true, Inplace: true, NoCheckDest: true };
  const get = (path) => new Promise((resolve) => {
    const r = request({ host: "127.0.0.1", port: c.port, auth: `${c.user}:${c.password}`, path }, (m) => {
      let t = "";
      m.on("data", (d) => t += d);
      m.on("end", () => resolve(m.statusCode + " " + t));
    });
    r.end();
  });
  const seen = /* @__PURE__ */ new Set();
  const ask = async (fs, label) => {
    for (const [op, run] of Object.entries({
      list: () => call("operations/list", { fs, remote: "", opt: { recurse: true, filesOnly: true } }),
      stat: () => call("operations/stat", { fs, remote: "d/a.md", opt: { filesOnly: true } }),
      put: () => call("operations/copyfile", { srcFs: "/tmp/ha/w/src", srcRemote: "x", dstFs: fs, dstRemote: "d/a.md", _config: cfg }),
      remove: () => call("operations/deletefile", { fs, remote: "d/a.md" }),
      get: () => get(`/%5B${encodeURIComponent(fs)}%5D/d/a.md`)
    })) {
      const e = await run();
      const m = /"error": ("(?:[^"\\]|\\.)*")/.exec(e);
      const text = m ? JSON.parse(m[1]) : e.replace(/\s+/g, " ");
      const f = failureOf(text);
      console.log(`${name}	${label}	${op}	${f.kind}/${f.detail}	${e.slice(0, 3)}	${text.slice(0, 260).replace(/\n/g, "\u23CE")}`);
    }
  };
  for (const [s, b] of CASES) {
    status = s;
    body = b;
    const label = `${s} ${/<Code>(\w+)/.exec(b)?.[1] ?? b}`;
    await ask("s3:bkt/p/", "s3 " + label);
    if (b === "" || s === 200) await ask("dav:p", "dav " + label);
  }
  for (const fs of ["offs3:b/p/", "offdav:p", "nohost:p"]) await ask(fs, fs);
  c.stop();
}
server.close();
