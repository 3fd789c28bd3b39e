# An Auto Scaling group whose machines are InService once they have passed muster, and are replaced where they have
# not. The image's /etc/muster/muster.json has the sinks:
#   "report": { "to": { "group": { "type": "autoscaling", "required": true }, "bus": { "type": "eventbridge" } } }
variable "image" { type = string }
variable "subnets" { type = list(string) }

resource "aws_iam_role" "application" {
  name = "application"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "ec2.amazonaws.com" }
    }]
  })
}

# Take from it the statements of the sinks that are not used.
resource "aws_iam_role_policy" "muster" {
  name   = "muster"
  role   = aws_iam_role.application.id
  policy = file("${path.module}/iam-policy.json")
}

resource "aws_iam_instance_profile" "application" {
  name = "application"
  role = aws_iam_role.application.name
}

resource "aws_launch_template" "application" {
  name          = "application"
  image_id      = var.image
  instance_type = "i4i.4xlarge"

  iam_instance_profile {
    arn = aws_iam_instance_profile.application.arn
  }

  metadata_options {
    http_endpoint          = "enabled"
    http_tokens            = "required"
    instance_metadata_tags = "enabled" # the group's name, without a Describe call
  }

  block_device_mappings {
    device_name = "/dev/sdf"
    ebs {
      volume_size = 100
      volume_type = "gp3"
    }
  }

  # As the package installs it; in the repository: ../../cloud-init/examples/muster.yaml.
  user_data = base64encode(file("${path.module}/cloud-init/muster.yaml"))
}

resource "aws_autoscaling_group" "application" {
  name                = "application"
  min_size            = 2
  max_size            = 10
  vpc_zone_identifier = var.subnets
  health_check_type   = "EC2"

  launch_template {
    id      = aws_launch_template.application.id
    version = "$Latest"
  }

  # With the group, so that no machine is launched without it.
  initial_lifecycle_hook {
    name                 = "muster"
    lifecycle_transition = "autoscaling:EC2_INSTANCE_LAUNCHING"
    # Silence is a failure: a machine that never booted is taken back, too. So is, at the time-out, one that is
    # `failed` with `recreate: false`: raise an alarm on those, since the next one will say the same.
    default_result = "ABANDON"
    # Longer than `deadline` (300 s) and what comes before it: the kernel's boot and cloud-init.
    heartbeat_timeout = 600
  }
}
