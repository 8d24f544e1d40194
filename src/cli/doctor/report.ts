import { printable, type Terminal } from '../terminal.js'
import type { Check, CheckStatus } from './check.js'

const MARKS = { ok: 'ok  ', warn: 'WARN', fail: 'FAIL', skip: 'skip' } as const satisfies Record<CheckStatus, string>
const NAME_WIDTH = 14

/** Prints the checks, one a line, with what to do below those that need it. */
export function printReport(checks: readonly Check[], terminal: Terminal): void {
  for (const { name, status, detail, advice } of checks) {
    terminal.out(`${MARKS[status]}  ${name.padEnd(NAME_WIDTH)} ${printable(detail)}`)
    if (advice !== null) terminal.out(`${' '.repeat(NAME_WIDTH + 7)}${printable(advice)}`)
  }
  const count = (status: CheckStatus): number => checks.filter((check) => check.status === status).length
  terminal.err(`${count('ok')} ok, ${count('warn')} to improve, ${count('fail')} wrong, ${count('skip')} not looked at`)
}
