import { invitationSuite } from './invitation-suite.js'
import { messageSuite } from './message-suite.js'
import { metadataSuite } from './metadata-suite.js'
import { sentinelRedis } from './setups.js'
import { rosterSuite } from './roster-suite.js'
import { statusSuite } from './status-suite.js'
import { storeSuite } from './store-suite.js'

storeSuite(sentinelRedis)
statusSuite(sentinelRedis)
metadataSuite(sentinelRedis)
rosterSuite(sentinelRedis)
invitationSuite(sentinelRedis)
messageSuite(sentinelRedis)
