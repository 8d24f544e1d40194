/** Where a command reads its surroundings and writes to. */
export interface Terminal {
  readonly env: Readonly<Record<string, string | undefined>>
  /** One line of the result. */
  out(line: string): void
  /** One line that is not part of it. */
  err(line: string): void
}

/** Names and states are other people's text: without this, one could move a terminal's cursor, or rename its window. */
export function printable(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

/** States on one line: `mood=well seat="4 b"`. */
export function statesText(states: unknown): string {
  if (typeof states !== 'object' || states === null) return ''
  return Object.entries(states)
    .map(([key, value]) => `${printable(key)}=${valueText(String(value))}`)
    .join(' ')
}

function valueText(value: string): string {
  return /^[\w.:/@-]+$/.test(value) ? value : printable(JSON.stringify(value))
}
