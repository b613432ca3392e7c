# mutt secrets rotate-db, mutt roles.
path "secret/data/mutt/database/admin" { capabilities = ["read"] }

# Replaces the logins of the others, and not its own.
path "secret/data/mutt/database/worker" { capabilities = ["read", "update"] }
path "secret/data/mutt/database/api" { capabilities = ["read", "update"] }
path "secret/data/mutt/database/migrate" { capabilities = ["read", "update"] }
path "secret/data/mutt/database/retention" { capabilities = ["read", "update"] }
path "secret/data/mutt/database/operator" { capabilities = ["read", "update"] }

# Its own token: look at it, renew it, give it back.
path "auth/token/lookup-self" { capabilities = ["read"] }
path "auth/token/renew-self" { capabilities = ["update"] }
path "auth/token/revoke-self" { capabilities = ["update"] }
