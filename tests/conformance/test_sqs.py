"""What orderflow relies on in SQS, checked with boto3 against the local endpoint."""

import hashlib
import json
import time
import unittest
import uuid

from botocore.exceptions import ClientError

from stack import INFO, client, wait_until

SQS = client("sqs")


class Queue:
    """A queue of one test."""

    def __init__(self, **attributes):
        self.name = f"conformance-{uuid.uuid4().hex}"
        self.url = SQS.create_queue(QueueName=self.name, Attributes=attributes)["QueueUrl"]
        self.arn = SQS.get_queue_attributes(QueueUrl=self.url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]

    def send(self, body, **more):
        return SQS.send_message(QueueUrl=self.url, MessageBody=body, **more)

    def receive(self, count=1, wait_s=0, **more):
        answer = SQS.receive_message(
            QueueUrl=self.url,
            MaxNumberOfMessages=count,
            WaitTimeSeconds=wait_s,
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
            **more,
        )
        return answer.get("Messages", [])

    def delete(self, message):
        SQS.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])

    def count(self, name="ApproximateNumberOfMessages"):
        return int(SQS.get_queue_attributes(QueueUrl=self.url, AttributeNames=[name])["Attributes"][name])


class SqsTest(unittest.TestCase):
    def queue(self, **attributes):
        queue = Queue(**attributes)
        self.addCleanup(SQS.delete_queue, QueueUrl=queue.url)
        return queue

    def refused(self, code, call, **arguments):
        with self.assertRaises(ClientError) as caught:
            call(**arguments)
        self.assertIn(code, caught.exception.response["Error"]["Code"])

    def test_the_queues_of_the_settings_exist_with_their_redrive_policies(self):
        for name, dead in [("orders", "orders-dlq"), ("payments", "payments-dlq")]:
            url = SQS.get_queue_url(QueueName=name)["QueueUrl"]
            self.assertEqual(url, INFO["queues"][name]["url"])
            attributes = SQS.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
            policy = json.loads(attributes["RedrivePolicy"])
            self.assertEqual(policy["deadLetterTargetArn"], INFO["queues"][dead]["arn"])
            self.assertGreaterEqual(int(policy["maxReceiveCount"]), 5)
        self.assertIn("quarantine", INFO["queues"])

    def test_a_message_comes_back_with_its_digest_and_attributes(self):
        queue = self.queue()
        attributes = {
            "traceparent": {"DataType": "String", "StringValue": "00-1-2-01"},
            "raw": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
            "count": {"DataType": "Number", "StringValue": "7"},
        }
        before_ms = int(time.time() * 1000)
        sent = queue.send("Grüße", MessageAttributes=attributes)
        (message,) = queue.receive()
        self.assertEqual(message["Body"], "Grüße")
        self.assertEqual(message["MessageId"], sent["MessageId"])
        self.assertEqual(message["MD5OfBody"], hashlib.md5("Grüße".encode()).hexdigest())
        self.assertEqual(message["MessageAttributes"]["traceparent"]["StringValue"], "00-1-2-01")
        self.assertEqual(message["MessageAttributes"]["raw"]["BinaryValue"], b"\x00\xff")
        self.assertEqual(message["Attributes"]["ApproximateReceiveCount"], "1")
        self.assertGreaterEqual(int(message["Attributes"]["SentTimestamp"]), before_ms)

    def test_a_deleted_message_never_comes_back(self):
        queue = self.queue(VisibilityTimeout="1")
        queue.send("x")
        (message,) = queue.receive()
        queue.delete(message)
        self.assertEqual(queue.receive(wait_s=3), [])

    def test_a_batch_is_sent_received_and_deleted(self):
        queue = self.queue()
        entries = [{"Id": str(number), "MessageBody": f"body {number}"} for number in range(10)]
        answer = SQS.send_message_batch(QueueUrl=queue.url, Entries=entries)
        self.assertEqual(len(answer["Successful"]), 10)
        self.assertEqual(answer.get("Failed", []), [])
        messages = queue.receive(count=10)
        self.assertEqual({message["Body"] for message in messages}, {entry["MessageBody"] for entry in entries})
        handles = [{"Id": str(n), "ReceiptHandle": m["ReceiptHandle"]} for n, m in enumerate(messages)]
        answer = SQS.delete_message_batch(QueueUrl=queue.url, Entries=handles)
        self.assertEqual(len(answer["Successful"]), 10)
        self.assertEqual(queue.count("ApproximateNumberOfMessagesNotVisible"), 0)

    def test_one_bad_entry_of_a_batch_fails_alone(self):
        queue = self.queue()
        entries = [{"Id": "good", "MessageBody": "x"}, {"Id": "bad", "MessageBody": "x" * 300_000}]
        answer = SQS.send_message_batch(QueueUrl=queue.url, Entries=entries)
        self.assertEqual([entry["Id"] for entry in answer["Successful"]], ["good"])
        self.assertEqual([entry["Id"] for entry in answer["Failed"]], ["bad"])
        self.assertTrue(answer["Failed"][0]["SenderFault"])

    def test_a_received_message_is_hidden_until_its_visibility_ends(self):
        queue = self.queue(VisibilityTimeout="1")
        queue.send("x")
        self.assertEqual(len(queue.receive()), 1)
        self.assertEqual(queue.receive(), [])
        (again,) = queue.receive(wait_s=5)
        self.assertEqual(again["Attributes"]["ApproximateReceiveCount"], "2")

    def test_visibility_can_be_ended_and_prolonged(self):
        queue = self.queue(VisibilityTimeout="1")
        queue.send("x")
        (message,) = queue.receive()
        handle = {"QueueUrl": queue.url, "ReceiptHandle": message["ReceiptHandle"]}
        SQS.change_message_visibility(VisibilityTimeout=30, **handle)
        self.assertEqual(queue.receive(wait_s=2), [])
        SQS.change_message_visibility(VisibilityTimeout=0, **handle)
        self.assertEqual(len(queue.receive()), 1)

    def test_visibility_of_several_messages_can_be_changed_at_once(self):
        queue = self.queue(VisibilityTimeout="30")
        for body in ["a", "b"]:
            queue.send(body)
        messages = queue.receive(count=10)
        entries = [
            {"Id": str(n), "ReceiptHandle": m["ReceiptHandle"], "VisibilityTimeout": 0}
            for n, m in enumerate(messages)
        ]
        answer = SQS.change_message_visibility_batch(QueueUrl=queue.url, Entries=entries)
        self.assertEqual(len(answer["Successful"]), 2)
        self.assertEqual(len(queue.receive(count=10)), 2)

    def test_a_long_poll_ends_empty_after_its_time_and_at_once_with_a_message(self):
        queue = self.queue()
        began = time.monotonic()
        self.assertEqual(queue.receive(wait_s=1), [])
        self.assertGreaterEqual(time.monotonic() - began, 0.9)
        queue.send("x", DelaySeconds=1)
        began = time.monotonic()
        self.assertEqual(len(queue.receive(wait_s=10)), 1)
        self.assertLess(time.monotonic() - began, 4)

    def test_figures_count_visible_hidden_and_delayed(self):
        queue = self.queue()
        queue.send("a")
        queue.send("b")
        queue.send("c", DelaySeconds=60)
        queue.receive()
        self.assertEqual(queue.count(), 1)
        self.assertEqual(queue.count("ApproximateNumberOfMessagesNotVisible"), 1)
        self.assertEqual(queue.count("ApproximateNumberOfMessagesDelayed"), 1)

    def test_a_message_received_too_often_moves_to_the_dead_letter_queue(self):
        dead = self.queue()
        policy = json.dumps({"deadLetterTargetArn": dead.arn, "maxReceiveCount": 2})
        queue = self.queue(VisibilityTimeout="0", RedrivePolicy=policy)
        sent = queue.send("x", MessageAttributes={"kind": {"DataType": "String", "StringValue": "k"}})
        counts = [queue.receive()[0]["Attributes"]["ApproximateReceiveCount"] for _ in range(2)]
        self.assertEqual(counts, ["1", "2"])
        self.assertEqual(queue.receive(), [])
        (letter,) = wait_until("the dead letter", dead.receive)
        self.assertEqual(letter["MessageId"], sent["MessageId"])
        self.assertEqual(letter["MessageAttributes"]["kind"]["StringValue"], "k")
        self.assertEqual(letter["Attributes"]["DeadLetterQueueSourceArn"], queue.arn)

    def test_an_unknown_queue_is_an_error_of_its_own(self):
        self.refused("NonExistentQueue", SQS.get_queue_url, QueueName="nowhere")
        url = INFO["queues"]["orders"]["url"].replace("orders", "nowhere")
        self.refused("NonExistentQueue", SQS.send_message, QueueUrl=url, MessageBody="x")

    def test_batches_are_refused_for_what_sqs_refuses(self):
        queue = self.queue()
        entry = {"Id": "a", "MessageBody": "x"}
        eleven = [{"Id": str(number), "MessageBody": "x"} for number in range(11)]
        send = SQS.send_message_batch
        self.refused("EmptyBatchRequest", send, QueueUrl=queue.url, Entries=[])
        self.refused("TooManyEntriesInBatchRequest", send, QueueUrl=queue.url, Entries=eleven)
        self.refused("BatchEntryIdsNotDistinct", send, QueueUrl=queue.url, Entries=[entry, entry])

    def test_visibility_of_a_message_that_is_not_in_flight_cannot_be_changed(self):
        queue = self.queue()
        queue.send("x")
        (message,) = queue.receive()
        queue.delete(message)
        self.refused(
            "MessageNotInflight",
            SQS.change_message_visibility,
            QueueUrl=queue.url,
            ReceiptHandle=message["ReceiptHandle"],
            VisibilityTimeout=0,
        )

    def test_creating_a_queue_again_needs_the_same_attributes(self):
        queue = self.queue(VisibilityTimeout="7")
        again = SQS.create_queue(QueueName=queue.name, Attributes={"VisibilityTimeout": "7"})
        self.assertEqual(again["QueueUrl"], queue.url)
        self.refused("Queue", SQS.create_queue, QueueName=queue.name, Attributes={"VisibilityTimeout": "8"})


if __name__ == "__main__":
    unittest.main()
