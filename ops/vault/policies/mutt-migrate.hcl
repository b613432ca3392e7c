# mutt migrate.
path "secret/data/mutt/database/migrate" { capabilities = ["read"] }
path "secret/data/mutt/kafka/migrate" { capabilities = ["read"] }

# Its own token: look at it, renew it, give it back.
path "auth/token/lookup-self" { capabilities = ["read"] }
path "auth/token/renew-self" { capabilities = ["update"] }
path "auth/token/revoke-self" { capabilities = ["update"] }
