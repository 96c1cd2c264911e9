"""A record processor with the library amazon_kclpy, unmodified.

It appends a line for what it is told to the file RECORDS, and checkpoints behind each batch: "shard what key data".
"""

import os

from amazon_kclpy import kcl
from amazon_kclpy.v3 import processor


class Processor(processor.RecordProcessorBase):
    def __init__(self):
        self.out = os.open(os.environ["RECORDS"], os.O_CREAT | os.O_APPEND | os.O_WRONLY)
        self.shard = None

    def write(self, *lines):
        os.write(self.out, "".join(f"{self.shard} {line}\n" for line in lines).encode())

    def initialize(self, initialize_input):
        self.shard = initialize_input.shard_id
        print("this is no message")  # what a processor prints must do no harm
        self.write(f"begins {os.getpid()} {initialize_input.sequence_number}/{initialize_input.sub_sequence_number}")

    def process_records(self, process_records_input):
        records = process_records_input.records
        self.write(*(f"record {r.partition_key} {r.binary_data.decode()}" for r in records))
        process_records_input.checkpointer.checkpoint(records[-1].sequence_number, records[-1].sub_sequence_number)

    def lease_lost(self, lease_lost_input):
        self.write("lost")

    def shard_ended(self, shard_ended_input):
        shard_ended_input.checkpointer.checkpoint()
        self.write("ended")

    def shutdown_requested(self, shutdown_requested_input):
        shutdown_requested_input.checkpointer.checkpoint()
        self.write("leaves")


if __name__ == "__main__":
    kcl.KCLProcess(Processor()).run()
