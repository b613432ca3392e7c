# mutt retention run.
path "secret/data/mutt/database/retention" { capabilities = ["read"] }

# Its own token: look at it, renew it, give it back.
path "auth/token/lookup-self" { capabilities = ["read"] }
path "auth/token/renew-self" { capabilities = ["update"] }
path "auth/token/revoke-self" { capabilities = ["update"] }
