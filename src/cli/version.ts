/** The version of this program; the build checks that it is the one in package.json. */

export const VERSION = "0.16.0"
