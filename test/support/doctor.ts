import type { Check } from '../../src/cli/doctor/check.js'
import { run } from '../../src/cli/run.js'

export interface Diagnosis {
  readonly code: number
  readonly checks: readonly Check[]
  /** "status: detail advice" of the check of this name. */
  of(name: string): string
  /** The names of those with this status. */
  with(status: Check['status']): readonly string[]
}

/** `rollcall doctor --json` in an environment of its own. */
export async function doctor(env: Readonly<Record<string, string>>, ...args: readonly string[]): Promise<Diagnosis> {
  const out: string[] = []
  const code = await run(['doctor', '--json', ...args], { env, out: (line) => out.push(line), err: () => undefined })
  const { checks } = JSON.parse(out.join('\n')) as { readonly checks: readonly Check[] }
  return {
    code,
    checks,
    of: (name) => {
      const check = checks.find((one) => one.name === name)
      return check === undefined ? 'none' : `${check.status}: ${check.detail} ${check.advice ?? ''}`.trim()
    },
    with: (status) => checks.filter((one) => one.status === status).map((one) => one.name),
  }
}
