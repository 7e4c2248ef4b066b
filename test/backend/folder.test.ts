/** Folders keep the contract: on the real disk, where there is no `/proc`, and in memory. */

import { backendContract } from "./contract.ts"
import { folderContract } from "./contract-folder.ts"
import { openDirectory, openMemoryDisk } from "./folder-storage.ts"

const FOLDERS = [
  { name: "a folder", isSlow: true, open: () => openDirectory() },
  { name: "a folder reached by paths", isSlow: true, open: () => openDirectory({ reachesBy: "paths" }) },
  { name: "a folder in memory", isSlow: false, open: openMemoryDisk },
]

for (const { name, isSlow, open } of FOLDERS) {
  backendContract(name, open, { isSlow })
  folderContract(`${name}, as a folder`, open)
}
