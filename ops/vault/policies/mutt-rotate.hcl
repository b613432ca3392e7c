# mutt secrets rotate-db and rotate-kafka, mutt roles.
path "secret/data/mutt/database/admin" { capabilities = ["read"] }
path "secret/data/mutt/kafka/rotate" { capabilities = ["read"] }

# Replaces the logins of the others, and not its own.
path "secret/data/mutt/database/worker" { capabilities = ["read", "update"] }
path "secret/data/mutt/database/api" { capabilities = ["read", "update"] }
path "secret/data/mutt/database/migrate" { capabilities = ["read", "update"] }
path "secret/data/mutt/database/retention" { capabilities = ["read", "update"] }
path "secret/data/mutt/database/operator" { capabilities = ["read", "update"] }
path "secret/data/mutt/kafka/match" { capabilities = ["read", "update"] }
path "secret/data/mutt/kafka/forward" { capabilities = ["read", "update"] }
path "secret/data/mutt/kafka/dead-letters" { capabilities = ["read", "update"] }
path "secret/data/mutt/kafka/snmp-bridge" { capabilities = ["read", "update"] }
path "secret/data/mutt/kafka/api" { capabilities = ["read", "update"] }
path "secret/data/mutt/kafka/migrate" { capabilities = ["read", "update"] }
path "secret/data/mutt/kafka/operator" { capabilities = ["read", "update"] }

# Its own token: look at it, renew it, give it back.
path "auth/token/lookup-self" { capabilities = ["read"] }
path "auth/token/renew-self" { capabilities = ["update"] }
path "auth/token/revoke-self" { capabilities = ["update"] }
