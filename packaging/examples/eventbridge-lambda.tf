# Each report that says `failed`, or `degraded`, to a function of yours; all of them go over the account's default bus.
variable "function_arn" { type = string }

resource "aws_cloudwatch_event_rule" "muster" {
  name = "muster-not-well"
  event_pattern = jsonencode({
    source = ["muster"]
    detail = { outcome = ["failed", "degraded"] }
  })
}

resource "aws_cloudwatch_event_target" "muster" {
  rule = aws_cloudwatch_event_rule.muster.name
  arn  = var.function_arn

  retry_policy {
    maximum_event_age_in_seconds = 3600
    maximum_retry_attempts       = 20
  }
}

resource "aws_lambda_permission" "muster" {
  statement_id  = "muster"
  action        = "lambda:InvokeFunction"
  function_name = var.function_arn
  principal     = "events.amazonaws.com"
  source_arn    = aws_cloudwatch_event_rule.muster.arn
}
