// The classes of what can come of an attempt at the provider. A test holds them against the catalogue: each word is in one.

export const SIGNALS: Readonly<Record<string, readonly string[]>> = {
  answered: ['charge_held', 'charge_captured', 'charge_canceled', 'charge_processing', 'charge_requires_action', 'charge_not_held', 'refund_succeeded', 'refund_pending', 'refund_failed', 'page_read', 'already_captured', 'already_refunded'],
  declined: ['declined', 'declined_for_good', 'declined_soft', 'authentication_required'],
  limited: ['in_flight', 'locked', 'throttled_global_rate', 'throttled_endpoint_rate', 'throttled_global_concurrency', 'throttled_endpoint_concurrency', 'throttled_resource', 'throttled_unnamed'],
  broken: ['not_connected', 'certificate_invalid', 'not_sendable', 'closed_before_answer', 'timed_out', 'broken_answer', 'not_the_provider', 'dependency_failed', 'server_error', 'gateway_failed'],
  refused: ['parameter_refused', 'key_reused', 'unexpected_state', 'unauthorized', 'forbidden', 'not_found', 'failed_for_good', 'refused', 'other'],
};
