import { testCrashes } from "./crash.ts"

testCrashes("bucket B")
