# OpenBao of compose.kafka.yml. It starts sealed and empty: docs/DEPLOYMENT.md says how it is opened. Without TLS, for
# nobody but the containers beside it and this machine reaches it.
storage "raft" {
  path    = "/openbao/file"
  node_id = "one"
}
listener "tcp" {
  address     = "0.0.0.0:8200"
  tls_disable = true
}
api_addr     = "http://openbao:8200"
cluster_addr = "http://openbao:8201"
ui           = false
