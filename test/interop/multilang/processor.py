"""A record processor with amazon_kclpy, as its samples are made: what it is given goes to a file of its process, a line each, before the checkpoint.

    I shard                       it begins to process the shard
    R shard key number            a record
    E shard                       the shard has ended, and that is checkpointed
"""

import os
import sys

from amazon_kclpy import kcl
from amazon_kclpy.v3 import processor


class Processor(processor.RecordProcessorBase):
    def __init__(self, out):
        self.out, self.shard = out, None

    def say(self, *words):
        print(*words, file=self.out, flush=True)

    def initialize(self, initialize_input):
        self.shard = initialize_input.shard_id
        self.say("I", self.shard)

    def process_records(self, process_records_input):
        for record in process_records_input.records:
            self.say("R", self.shard, record.partition_key, record.binary_data.decode())
        process_records_input.checkpointer.checkpoint()

    def lease_lost(self, lease_lost_input):
        pass

    def shard_ended(self, shard_ended_input):
        self.say("E", self.shard)
        shard_ended_input.checkpointer.checkpoint()

    def shutdown_requested(self, shutdown_requested_input):
        shutdown_requested_input.checkpointer.checkpoint()


with open(os.path.join(sys.argv[1], f"{os.getpid()}.lines"), "w", encoding="utf-8") as lines:
    kcl.KCLProcess(Processor(lines)).run()
