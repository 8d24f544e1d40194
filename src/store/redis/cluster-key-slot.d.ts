/** The slot of a key (Redis Cluster specification, hash tags included). */
declare module 'cluster-key-slot' {
  export default function calculateSlot(key: string | Buffer): number
}
