import { testCrashes } from "./crash.ts"

testCrashes("memory")
