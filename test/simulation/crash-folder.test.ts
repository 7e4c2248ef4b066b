import { testCrashes } from "./crash.ts"

testCrashes("folder")
