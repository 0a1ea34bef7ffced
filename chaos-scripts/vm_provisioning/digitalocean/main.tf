# One droplet to break things on, which only you can reach. NEVER apply it in an account that serves anybody.

terraform {
  required_version = ">= 1.5"
  required_providers {
    digitalocean = {
      source  = "digitalocean/digitalocean"
      version = "~> 2.40"
    }
  }
}

provider "digitalocean" {}

resource "digitalocean_tag" "target" {
  name = var.name
}

resource "digitalocean_ssh_key" "target" {
  name       = var.name
  public_key = trimspace(file(pathexpand(var.public_key_file)))
}

# By tag, and before the droplet, so that there is no moment without it.
resource "digitalocean_firewall" "target" {
  name = var.name
  tags = [digitalocean_tag.target.id]

  inbound_rule {
    protocol         = "tcp"
    port_range       = "22"
    source_addresses = [var.my_ip]
  }

  outbound_rule {
    protocol              = "tcp"
    port_range            = "1-65535"
    destination_addresses = ["0.0.0.0/0", "::/0"]
  }

  outbound_rule {
    protocol              = "udp"
    port_range            = "1-65535"
    destination_addresses = ["0.0.0.0/0", "::/0"]
  }
}

resource "digitalocean_droplet" "target" {
  name       = var.name
  image      = "ubuntu-22-04-x64"
  size       = var.size
  region     = var.region
  ssh_keys   = [digitalocean_ssh_key.target.fingerprint]
  tags       = [digitalocean_tag.target.id]
  user_data  = file("${path.module}/../cloud-init/user-data.yaml")
  depends_on = [digitalocean_firewall.target]
}
