/** What shows one item. */
export interface ItemView<Item> {
  readonly element: HTMLElement
  show(item: Item): void
}

/** The children of an element, one for each item: made once, moved only where they stand wrong, and so no screen reader hears them twice. */
export class KeyedList<Item> {
  readonly #place: HTMLElement
  readonly #keyOf: (item: Item) => string
  readonly #make: (item: Item) => ItemView<Item>
  readonly #views = new Map<string, ItemView<Item>>()

  constructor(place: HTMLElement, keyOf: (item: Item) => string, make: (item: Item) => ItemView<Item>) {
    this.#place = place
    this.#keyOf = keyOf
    this.#make = make
  }

  /** Answers whether there is one more than before. */
  show(items: readonly Item[]): boolean {
    const wanted = new Set(items.map(this.#keyOf))
    for (const [key, { element }] of this.#views) {
      if (wanted.has(key)) continue
      element.remove()
      this.#views.delete(key)
    }
    let isMore = false
    items.forEach((item, index) => {
      const key = this.#keyOf(item)
      const known = this.#views.get(key)
      const view = known ?? this.#make(item)
      if (known === undefined) {
        this.#views.set(key, view)
        isMore = true
      }
      view.show(item)
      const there = this.#place.children[index]
      if (there !== view.element) this.#place.insertBefore(view.element, there ?? null)
    })
    return isMore
  }
}
