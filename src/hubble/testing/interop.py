"""Hubble's API spoken by gRPC's own library for Python, with code that protoc made of the same protos.

ask TARGET [CA CERT KEY]  prints, a JSON object a line, what a server answers to each question of this file.
serve SOCKET              serves what tests expect, and prints `ready`; ends when its input does.
"""
import json
import sys
from concurrent import futures

import grpc
from flow import flow_pb2
from google.protobuf.json_format import MessageToDict
from google.protobuf.timestamp_pb2 import Timestamp
from google.protobuf.wrappers_pb2 import BoolValue, UInt32Value
from health import health_pb2, health_pb2_grpc
from observer import observer_pb2, observer_pb2_grpc
from peer import peer_pb2, peer_pb2_grpc
from relay import relay_pb2


def say(question, answer):
    print(json.dumps({"question": question, "answer": answer}), flush=True)


def asked(question, ask):
    try:
        say(question, MessageToDict(ask(), preserving_proto_field_name=True))
    except grpc.RpcError as error:
        say(question, {"code": error.code().name, "details": error.details()})


def streamed(question, call):
    rows = []
    try:
        for row in call:
            rows.append(MessageToDict(row, preserving_proto_field_name=True))
        say(question, rows)
    except grpc.RpcError as error:
        say(question, {"code": error.code().name, "details": error.details()})


def taken(question, call, count):
    rows = []
    try:
        for row in call:
            rows.append(MessageToDict(row, preserving_proto_field_name=True))
            if len(rows) == count:
                break
        call.cancel()
        say(question, rows)
    except grpc.RpcError as error:
        say(question, {"code": error.code().name, "details": error.details()})


def ask(target, files):
    if files:
        ca, cert, key = (open(name, "rb").read() for name in files)
        channel = grpc.secure_channel(target, grpc.ssl_channel_credentials(ca, key, cert))
    else:
        channel = grpc.insecure_channel(target)
    observer = observer_pb2_grpc.ObserverStub(channel)
    health = health_pb2_grpc.HealthStub(channel)
    deadline = {"timeout": 20}
    for service in ["", "hubble.server.Observer", "nobody"]:
        request = health_pb2.HealthCheckRequest(service=service)
        asked("health " + service, lambda: health.Check(request, **deadline))
    asked("status", lambda: observer.ServerStatus(observer_pb2.ServerStatusRequest(), **deadline))
    asked("nodes", lambda: observer.GetNodes(observer_pb2.GetNodesRequest(), **deadline))
    asked("namespaces", lambda: observer.GetNamespaces(observer_pb2.GetNamespacesRequest(), **deadline))

    def flows(question, **fields):
        streamed(question, observer.GetFlows(observer_pb2.GetFlowsRequest(**fields), **deadline))

    flows("all", number=2**64 - 1)
    since = Timestamp(seconds=1772532001, nanos=1)
    flows("since", since=since, whitelist=[flow_pb2.FlowFilter(verdict=[flow_pb2.FORWARDED], reply=[False])])
    flows("none", number=5, blacklist=[flow_pb2.FlowFilter(protocol=["udp"])])
    flows("first with follow", first=True, follow=True)
    flows("wrong mask", field_mask={"paths": ["nothing"]})
    flows("cel", whitelist=[{"experimental": {"cel_expression": ["true"]}}])
    events = observer_pb2.GetAgentEventsRequest(number=100)
    streamed("agent events", observer.GetAgentEvents(events, **deadline))
    events = observer_pb2.GetDebugEventsRequest()
    streamed("debug events", observer.GetDebugEvents(events, **deadline))
    following = observer.GetFlows(observer_pb2.GetFlowsRequest(number=1, follow=True), **deadline)
    taken("follow", following, 1)
    peers = peer_pb2_grpc.PeerStub(channel)
    taken("peers", peers.Notify(peer_pb2.NotifyRequest(), **deadline), 1)
    channel.close()


class Observer(observer_pb2_grpc.ObserverServicer):
    def GetFlows(self, request, context):
        if request.first and request.follow:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "first with follow\x1b[31m")
        time = Timestamp(seconds=1772532000, nanos=14000001)
        status = relay_pb2.NodeStatusEvent(state_change=relay_pb2.NODE_CONNECTED, node_names=["a", "b"])
        yield observer_pb2.GetFlowsResponse(node_status=status, node_name="relay", time=time)
        flow = flow_pb2.Flow(time=time, verdict=flow_pb2.DROPPED, is_reply=BoolValue(value=False))
        flow.l4.UDP.destination_port = 53
        flow.l7.type = flow_pb2.RESPONSE
        flow.l7.latency_ns = 2**64 - 1
        flow.l7.dns.query = request.whitelist[0].dns_query[0]
        flow.source.identity = 2
        yield observer_pb2.GetFlowsResponse(flow=flow, node_name="a", time=time)
        if request.number == 1:
            context.abort(grpc.StatusCode.UNAVAILABLE, "going away")

    def ServerStatus(self, request, context):
        nodes = {"num_connected_nodes": UInt32Value(value=2), "num_unavailable_nodes": UInt32Value(value=0)}
        return observer_pb2.ServerStatusResponse(seen_flows=2**53 - 1, uptime_ns=2**64 - 1, flows_rate=0.5, **nodes)


def serve(path):
    server = grpc.server(futures.ThreadPoolExecutor(4))
    observer_pb2_grpc.add_ObserverServicer_to_server(Observer(), server)
    server.add_insecure_port("unix:" + path)
    server.start()
    print("ready", flush=True)
    sys.stdin.read()
    server.stop(0)


if sys.argv[1] == "serve":
    serve(sys.argv[2])
else:
    ask(sys.argv[2], sys.argv[3:])
