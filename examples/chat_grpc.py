"""gRPC against a gateway by reflection alone: health, then one stream. Needs `pip install grpcio grpcio-reflection grpcio-health-checking`."""

import os

import grpc
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

channel = grpc.insecure_channel(os.environ.get("SLUICE_GRPC", "127.0.0.1:8080"))
health = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service="sluice.v1.Gateway"))
print("health:", health_pb2.HealthCheckResponse.ServingStatus.Name(health.status))

pool = DescriptorPool(ProtoReflectionDescriptorDatabase(channel))
request_type = GetMessageClass(pool.FindMessageTypeByName("sluice.v1.GenerateRequest"))
event_type = GetMessageClass(pool.FindMessageTypeByName("sluice.v1.GenerateEvent"))
generate = channel.unary_stream(
    "/sluice.v1.Gateway/Generate",
    request_serializer=lambda message: message.SerializeToString(),
    response_deserializer=event_type.FromString,
)
call = generate(
    request_type(model="auto", messages=[{"role": "user", "content": "Where is my parcel?"}], max_tokens=40),
    timeout=30,
    metadata=[("x-sluice-tags", "team=docs")],
)
for event in call:
    kind = event.WhichOneof("event")
    if kind == "started":
        print("expert:", event.started.expert, "| decision:", event.started.decision_id)
    elif kind == "text":
        print(event.text.text, end="", flush=True)
    else:
        print("\ncost:", event.finished.cost_nanousd, "nano-USD | tokens:", event.finished.usage.output_tokens)
print("trailers:", {key: value for key, value in call.trailing_metadata() if key.startswith("x-sluice")})
