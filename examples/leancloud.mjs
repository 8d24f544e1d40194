import { createNode } from 'rollcall'
import AV from 'rollcall/compat/leanengine'

AV.Cloud.onIMClientOnline(async ({ params }) => console.log(`${params.peerId} is here`))
AV.Cloud.onIMClientOffline(async ({ params }) => console.log(`${params.peerId} has gone: ${params.closeMsg}`))

AV.Cloud.define('hello', async ({ params }) => `hello, ${params.name}`)

const node = createNode({ redisUrl: process.env.REDIS_URL, port: process.env.PORT })
AV.init(node)
const { port } = await node.listen()
console.log(`http://127.0.0.1:${port}`)
process.once('SIGTERM', () => node.close())
