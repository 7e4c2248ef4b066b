/** What every `Disk` must do with names and directories, and what it must never reach. Part of `contract.ts`. */

import { expect, test } from "vitest"
import { bytesOf, drain, errnoOf, type Get, mustHave, textAt } from "./disk-world.ts"

export function naming({ world, disk }: Get): void {
  test("gives a file a second name", async () => {
    world().write("a", "x")
    mustHave(await disk().link("a", "b"))
    const [a, b] = [mustHave(await disk().stat("a")), mustHave(await disk().stat("b"))]
    expect(a).toEqual(b)
    expect(a?.links).toBe(2)
  })

  test("answers EEXIST when a link's name is taken, and changes nothing", async () => {
    world().write("a", "new")
    world().write("b", "old")
    expect(await disk().link("a", "b")).toEqual({ ok: false, error: { errno: "EEXIST", path: "b" } })
    expect(await textAt(disk(), "b")).toBe("old")
  })

  test("never makes a second name for a symbolic link or a directory", async () => {
    world().putSymlink("link")
    mustHave(await disk().makeDirectory("d"))
    expect(await errnoOf(disk().link("link", "b"))).toBe("ELOOP")
    expect(await errnoOf(disk().link("d", "b"))).toBe("EPERM")
  })

  test("moves a name and replaces what has the new one", async () => {
    world().write("a", "new")
    world().write("d/b", "old")
    const moved = mustHave(await disk().stat("a"))
    mustHave(await disk().rename("a", "d/b"))
    expect(await textAt(disk(), "d/b")).toBe("new")
    expect(mustHave(await disk().stat("a"))).toBeUndefined()
    expect(mustHave(await disk().stat("d/b"))?.inode).toBe(moved?.inode)
  })

  test("keeps both names when a rename meets another name of the same file", async () => {
    world().write("a", "x")
    mustHave(await disk().link("a", "b"))
    mustHave(await disk().rename("a", "b"))
    expect(mustHave(await disk().stat("a"))?.links).toBe(2)
  })

  test("moves and removes a symbolic link itself", async () => {
    world().putSymlink("link")
    mustHave(await disk().rename("link", "moved"))
    expect(mustHave(await disk().stat("moved"))?.kind).toBe("symlink")
    mustHave(await disk().unlink("moved"))
    expect(mustHave(await disk().stat("moved"))).toBeUndefined()
  })

  test("moves a directory with what is in it, but not into itself", async () => {
    world().write("d/x", "x")
    mustHave(await disk().rename("d", "e"))
    expect(await textAt(disk(), "e/x")).toBe("x")
    expect(await errnoOf(disk().rename("e", "e/f"))).toBe("EINVAL")
  })

  test("names the source in the error when it is the source that is absent", async () => {
    expect(await disk().rename("absent", "b")).toEqual({
      ok: false,
      error: { errno: "ENOENT", path: "absent" },
    })
    expect(await disk().link("absent", "b")).toEqual({
      ok: false,
      error: { errno: "ENOENT", path: "absent" },
    })
    world().write("a", "x")
    expect(await disk().rename("a", "no/b")).toEqual({ ok: false, error: { errno: "ENOENT", path: "no/b" } })
  })

  test("removes a name, and answers ENOENT where there is none", async () => {
    world().write("a", "x")
    mustHave(await disk().unlink("a"))
    expect(await errnoOf(disk().unlink("a"))).toBe("ENOENT")
  })

  test("changes the ctime when a file gets or loses a name", async () => {
    world().write("a", "x")
    const before = mustHave(await disk().stat("a"))
    await new Promise((resolve) => setTimeout(resolve, 15))
    mustHave(await disk().link("a", "b"))
    const linked = mustHave(await disk().stat("a"))
    expect(linked?.mtimeNs).toBe(before?.mtimeNs)
    expect(BigInt(linked?.ctimeNs ?? 0)).toBeGreaterThan(BigInt(before?.ctimeNs ?? 0))
  })
}

export function directories({ world, disk }: Get): void {
  test("creates every directory that is missing, and is content when all are there", async () => {
    mustHave(await disk().makeDirectory("a/b/c"))
    mustHave(await disk().makeDirectory("a/b/c"))
    mustHave(await disk().makeDirectory(""))
    expect(mustHave(await disk().stat("a/b/c"))?.kind).toBe("directory")
  })

  test("refuses a file or a symbolic link in the way of a directory", async () => {
    world().write("file", "x")
    world().putSymlink("link")
    expect(await errnoOf(disk().makeDirectory("file"))).toBe("ENOTDIR")
    expect(await errnoOf(disk().makeDirectory("file/d"))).toBe("ENOTDIR")
    expect(await errnoOf(disk().makeDirectory("link"))).toBe("ELOOP")
    expect(await errnoOf(disk().makeDirectory("link/d"))).toBe("ELOOP")
  })

  test("removes an empty directory only", async () => {
    world().write("d/x", "x")
    world().putSymlink("link")
    expect(await errnoOf(disk().removeDirectory("d"))).toBe("ENOTEMPTY")
    expect(await errnoOf(disk().removeDirectory("d/x"))).toBe("ENOTDIR")
    expect(await errnoOf(disk().removeDirectory("link"))).toBe("ELOOP")
    expect(await errnoOf(disk().removeDirectory("absent"))).toBe("ENOENT")
    mustHave(await disk().unlink("d/x"))
    mustHave(await disk().removeDirectory("d"))
    expect(mustHave(await disk().stat("d"))).toBeUndefined()
  })

  test("never unlinks a directory", async () => {
    mustHave(await disk().makeDirectory("d"))
    expect(["EISDIR", "EPERM"]).toContain(await errnoOf(disk().unlink("d")))
  })

  test("makes directories durable, and says when one is missing", async () => {
    mustHave(await disk().makeDirectory("a/b"))
    mustHave(await disk().syncDirectories(["", "a", "a/b", "a"]))
    const failed = await disk().syncDirectories(["a", "gone"])
    expect(failed).toEqual({ ok: false, error: { errno: "ENOENT", path: "gone" } })
  })
}

export function containment({ world, disk }: Get): void {
  test("never follows a symbolic link in a parent, in any operation", async () => {
    world().putSymlink("link")
    world().write("own", "x")
    const x = "link/secret.md"
    const answers = await Promise.all([
      errnoOf(disk().readDirectory("link/sub")),
      errnoOf(disk().stat(x)),
      errnoOf(disk().readFile(x)),
      errnoOf(disk().createFile("link/new", bytesOf("x"))),
      errnoOf(disk().link("own", "link/new")),
      errnoOf(disk().link(x, "new")),
      errnoOf(disk().rename("own", "link/new")),
      errnoOf(disk().rename(x, "new")),
      errnoOf(disk().unlink(x)),
      errnoOf(disk().makeDirectory("link/new")),
      errnoOf(disk().removeDirectory("link/sub")),
      errnoOf(disk().syncDirectories(["link"])),
    ])
    expect(answers).toEqual(answers.map(() => "ELOOP"))
    await expect(drain(disk(), x)).rejects.toMatchObject({ diskError: { errno: "ELOOP", path: x } })
    expect(await textAt(disk(), "own")).toBe("x")
  })

  test.each(["..", "../x", "a/../b", "./x", "/etc/passwd", "a//b", "a/", "a\0b", "\ud800"])(
    "refuses the path %j",
    async (path) => {
      const answers = await Promise.all([
        errnoOf(disk().stat(path)),
        errnoOf(disk().readDirectory(path)),
        errnoOf(disk().createFile(path, bytesOf("x"))),
        errnoOf(disk().makeDirectory(path)),
        errnoOf(disk().unlink(path)),
      ])
      expect(answers).toEqual(answers.map(() => "EINVAL"))
    },
  )

  test("takes names that only look dangerous", async () => {
    for (const name of ["a..b", "...", "..a", "-rf", "$(id)", "a\\b", "tab\there", 'quote"']) {
      mustHave(await disk().createFile(name, bytesOf(name), { isDurable: false }))
      expect(await textAt(disk(), name)).toBe(name)
    }
  })
}
