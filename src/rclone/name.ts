/**
 * Names as rclone says them: control characters are shown by their symbols, and a symbol that is meant as it is stands
 * behind a mark. PURE.
 *
 * Every storage has such an exchange of its own besides, for what it cannot name; that one is rclone's affair.
 */

const MARK = "\u201b"
/** That of a control character is as far from it as from the symbol of the first. */
const SYMBOLS = 0x2400
const DELETE = "\u007f"
const DELETE_SYMBOL = "\u2421"

// oxlint-disable-next-line no-control-regex -- these are what has symbols
const CONTROL = /[\u0001-\u001f\u007f]/g
/** A mark before others of its symbols was left where it stood when the name was shown. */
const MARKED = /[\u2401-\u241f\u2421]|\u201b(?![\u2400\uff0f\uff0e])/g
const SHOWN = /\u201b([\u2401-\u241f\u2421\u201b])|([\u2401-\u241f\u2421])/g

export function toRcloneName(key: string): string {
  return key
    .replace(MARKED, (symbol) => MARK + symbol)
    .replace(CONTROL, (control) =>
      control === DELETE ? DELETE_SYMBOL : String.fromCharCode(SYMBOLS + control.charCodeAt(0)),
    )
}

export function fromRcloneName(shown: string): string {
  return shown.replace(SHOWN, (_, marked: string | undefined, symbol: string | undefined) => {
    if (marked !== undefined) return marked
    if (symbol === undefined || symbol === DELETE_SYMBOL) return DELETE
    return String.fromCharCode(symbol.charCodeAt(0) - SYMBOLS)
  })
}
