output "droplet_id" {
  description = "For snapshots: doctl compute droplet-action snapshot ID --snapshot-name clean --wait"
  value       = digitalocean_droplet.target.id
}

output "target" {
  description = "What to give to chaos-handler as --target"
  value       = "ssh://sre-demo@${digitalocean_droplet.target.ipv4_address}"
}
