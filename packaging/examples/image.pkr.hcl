# packer build -var muster_deb=./muster_0.1.0_amd64.deb image.pkr.hcl
packer {
  required_plugins {
    amazon = {
      version = ">= 1.2.0"
      source  = "github.com/hashicorp/amazon"
    }
  }
}

variable "muster_deb" {
  type = string
}

source "amazon-ebs" "debian" {
  ami_name      = "application-{{timestamp}}"
  instance_type = "m6i.large" # without instance store: nothing there to be formatted, come what may
  ssh_username  = "admin"
  imds_support  = "v2.0"

  source_ami_filter {
    filters = {
      name                = "debian-12-amd64-*"
      virtualization-type = "hvm"
      root-device-type    = "ebs"
    }
    owners      = ["136693071363"] # Debian
    most_recent = true
  }

  metadata_options {
    http_endpoint = "enabled"
    http_tokens   = "required"
  }
}

build {
  sources = ["source.amazon-ebs.debian"]

  provisioner "file" {
    source      = var.muster_deb
    destination = "/tmp/muster.deb"
  }

  provisioner "file" {
    source      = "muster.json"
    destination = "/tmp/muster.json"
  }

  provisioner "shell" {
    execute_command = "sudo sh -eu {{ .Path }}"
    inline = [
      # A reboot in the middle of the build would run muster: not on this machine.
      "install -d /etc/muster && touch /etc/muster/disabled",
      "apt-get update && apt-get install -y /tmp/muster.deb",
      "install -m 600 /tmp/muster.json /etc/muster/muster.json",
      "muster config",
      # What is this machine's own, and no clone's.
      "rm -rf /var/lib/muster /run/muster /etc/lvm/devices/system.devices",
      "cloud-init clean --logs && truncate -s 0 /etc/machine-id",
      "rm /etc/muster/disabled /tmp/muster.deb /tmp/muster.json",
    ]
  }
}
