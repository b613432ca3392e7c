# whoever runs mutt commands.
path "secret/data/mutt/database/operator" { capabilities = ["read"] }
path "secret/data/mutt/api" { capabilities = ["read"] }
path "secret/data/mutt/kafka/operator" { capabilities = ["read"] }

# mutt secrets status: names, versions and ages of everything, without values.
path "secret/subkeys/mutt/*" { capabilities = ["read"] }

# Its own token: look at it, renew it, give it back.
path "auth/token/lookup-self" { capabilities = ["read"] }
path "auth/token/renew-self" { capabilities = ["update"] }
path "auth/token/revoke-self" { capabilities = ["update"] }
