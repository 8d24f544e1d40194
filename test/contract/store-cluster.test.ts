import { invitationSuite } from './invitation-suite.js'
import { messageSuite } from './message-suite.js'
import { metadataSuite } from './metadata-suite.js'
import { clusteredRedis } from './setups.js'
import { rosterSuite } from './roster-suite.js'
import { statusSuite } from './status-suite.js'
import { storeSuite } from './store-suite.js'

storeSuite(clusteredRedis)
statusSuite(clusteredRedis)
metadataSuite(clusteredRedis)
rosterSuite(clusteredRedis)
invitationSuite(clusteredRedis)
messageSuite(clusteredRedis)
