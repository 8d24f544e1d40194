import { byId, setText } from './dom.js'
import { readToken, type TokenClaims } from './token-claims.js'

/** Asks for a token, where a cluster wants one. */
export class TokenDialog {
  readonly #dialog = byId('token-dialog', HTMLDialogElement)
  readonly #input = byId('token', HTMLTextAreaElement)
  readonly #problem = byId('token-problem', HTMLElement)
  #submit: (token: string, claims: TokenClaims) => void = () => undefined

  constructor() {
    byId('token-cancel', HTMLButtonElement).addEventListener('click', () => {
      this.#dialog.close()
    })
    byId('token-form', HTMLFormElement).addEventListener('submit', (event) => {
      const token = this.#input.value.trim()
      const claims = readToken(token)
      if (claims === null) {
        event.preventDefault()
        setText(this.#problem, 'This does not look like a token: three parts with dots between them, naming a user.')
        return
      }
      this.#submit(token, claims)
    })
  }

  /** Asks, with what was wrong about the last answer; `submit` gets the next one. */
  ask(userId: string, problem: string, submit: (token: string, claims: TokenClaims) => void): void {
    this.#submit = submit
    setText(byId('token-command', HTMLElement), `rollcall token --user ${shellWord(userId)}`)
    setText(this.#problem, problem)
    if (this.#dialog.open) return
    this.#input.value = ''
    this.#dialog.showModal()
    this.#input.focus()
  }
}

function shellWord(text: string): string {
  return /^[\w.-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`
}
