import { byId, copyOf, part, setText } from './dom.js'
import { MOODS, type Profile, profileStates } from './profile.js'
import type { StatePatch } from './state-writer.js'
import { TypingBox } from './typing-box.js'

/** A signature is said when its writer pauses, not letter by letter. */
const SIGNATURE_PAUSE_MS = 500

interface ControlsWatcher {
  /** One said something about oneself: what changed, and the profile after it. */
  readonly said: (patch: StatePatch, profile: Profile) => void
}

/** The panel in which one says something about oneself. */
export class Controls {
  #profile: Profile
  readonly #said: ControlsWatcher['said']
  readonly #typing: TypingBox
  readonly #fields = byId('profile-fields', HTMLFieldSetElement)
  readonly #moods = new Map<string, HTMLInputElement>()
  readonly #mic = byId('mic', HTMLButtonElement)
  readonly #micText = byId('mic-text', HTMLElement)
  readonly #signature = byId('signature', HTMLInputElement)
  readonly #score = byId('score', HTMLOutputElement)
  #signatureTimer: ReturnType<typeof setTimeout> | undefined

  constructor(profile: Profile, watcher: ControlsWatcher) {
    this.#profile = profile
    this.#said = watcher.said
    this.#typing = new TypingBox((text) => {
      this.#said({ typing: text }, this.#profile)
    })
    this.#makeMoods()
    this.#listen()
    this.#draw()
  }

  get profile(): Profile {
    return this.#profile
  }

  /** Takes over what another session of the same user said; a field that is being edited is left alone. */
  show(profile: Profile): void {
    const signature = document.activeElement === this.#signature ? this.#profile.signature : profile.signature
    this.#profile = { ...profile, signature }
    this.#draw()
  }

  set disabled(disabled: boolean) {
    if (this.#fields.disabled === disabled) return
    this.#fields.disabled = disabled
    if (disabled) this.#typing.clear()
  }

  #change(change: Partial<Profile>): void {
    const before = profileStates(this.#profile)
    this.#profile = { ...this.#profile, ...change }
    const after = profileStates(this.#profile)
    this.#draw()
    const patch = Object.fromEntries(Object.entries(after).filter(([key, value]) => before[key] !== value))
    if (Object.keys(patch).length > 0) this.#said(patch, this.#profile)
  }

  #draw(): void {
    const { mood, mic, signature, score } = this.#profile
    for (const [face, input] of this.#moods) input.checked = face === mood
    this.#mic.setAttribute('aria-checked', String(mic))
    setText(this.#micText, mic ? 'on' : 'off')
    if (document.activeElement !== this.#signature) this.#signature.value = signature
    setText(this.#score, String(score))
  }

  #makeMoods(): void {
    const place = byId('moods', HTMLElement)
    for (const [face, name] of MOODS) {
      const label = copyOf('mood-template', HTMLLabelElement)
      const input = part(label, '.mood__input', HTMLInputElement)
      input.value = face
      input.addEventListener('change', () => {
        this.#change({ mood: face })
      })
      setText(part(label, '.mood__face', HTMLElement), face)
      setText(part(label, '.mood__name', HTMLElement), name)
      label.title = name
      this.#moods.set(face, input)
      place.append(label)
    }
  }

  #listen(): void {
    byId('profile', HTMLFormElement).addEventListener('submit', (event) => {
      event.preventDefault()
      this.#commitSignature()
    })
    this.#mic.addEventListener('click', () => {
      this.#change({ mic: !this.#profile.mic })
    })
    byId('score-down', HTMLButtonElement).addEventListener('click', () => {
      this.#change({ score: this.#profile.score - 1 })
    })
    byId('score-up', HTMLButtonElement).addEventListener('click', () => {
      this.#change({ score: this.#profile.score + 1 })
    })
    this.#signature.addEventListener('input', () => {
      clearTimeout(this.#signatureTimer)
      this.#signatureTimer = setTimeout(() => {
        this.#commitSignature()
      }, SIGNATURE_PAUSE_MS)
    })
    this.#signature.addEventListener('change', () => {
      this.#commitSignature()
    })
  }

  #commitSignature(): void {
    clearTimeout(this.#signatureTimer)
    this.#change({ signature: this.#signature.value.trim() })
  }
}
