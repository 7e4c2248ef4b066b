/** The real disk keeps the contract, by handles (Linux) and by paths (elsewhere). */

import { diskContract } from "./contract.ts"
import { openNodeWorld } from "./node-world.ts"

diskContract("NodeDisk", () => openNodeWorld())
diskContract("NodeDisk without /proc", () => openNodeWorld({ reachesBy: "paths" }))
