# The token is no variable, so that it gets into no file and no argument: export DIGITALOCEAN_TOKEN.

variable "my_ip" {
  description = "The only address that may reach the droplet, for example 203.0.113.7/32"
  type        = string
  validation {
    condition     = can(cidrhost(var.my_ip, 0)) && !endswith(var.my_ip, "/0")
    error_message = "my_ip: want an address with its prefix, like 203.0.113.7/32, and never the whole internet."
  }
}

variable "public_key_file" {
  description = "The public half of the key to log in with"
  type        = string
  default     = "~/.ssh/ai_chaos_handler.pub"
}

variable "name" {
  description = "The droplet's name, and that of its tag, key and firewall"
  type        = string
  default     = "chaos-target"
}

variable "region" {
  description = "See: doctl compute region list"
  type        = string
  default     = "fra1"
}

variable "size" {
  description = "See: doctl compute size list"
  type        = string
  default     = "s-2vcpu-4gb"
}
