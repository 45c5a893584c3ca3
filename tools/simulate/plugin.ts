/** The gRPC server that the engine takes for a provider. The SDK's own tells its provider neither config nor preview. */
import process from "node:process";
import { isDeepStrictEqual } from "node:util";

import * as grpc from "@grpc/grpc-js";
import engines from "@pulumi/pulumi/proto/engine_grpc_pb.js";
import log from "@pulumi/pulumi/proto/engine_pb.js";
import plugin from "@pulumi/pulumi/proto/plugin_pb.js";
import services from "@pulumi/pulumi/proto/provider_grpc_pb.js";
import rpc from "@pulumi/pulumi/proto/provider_pb.js";
import status from "@pulumi/pulumi/proto/status_pb.js";
import any from "google-protobuf/google/protobuf/any_pb.js";
import empty from "google-protobuf/google/protobuf/empty_pb.js";
import struct from "google-protobuf/google/protobuf/struct_pb.js";

import { HalfMade } from "./simulated.ts";

import type { Struct } from "google-protobuf/google/protobuf/struct_pb.js";
import type * as messages from "@pulumi/pulumi/proto/provider_pb.js";
import type { Difference } from "./diff.ts";
import type { Simulated } from "./simulated.ts";
import type { Bag } from "./wire.ts";

/** Serves until the process ends, and tells the engine the port by the first line of stdout. */
export function serve(version: string, provider: Simulated): void {
  const server = new grpc.Server({ "grpc.max_receive_message_length": 400 * 1024 * 1024 });
  server.addService(services.ResourceProviderService, implementation(version, provider));
  server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, port) => {
    if (error) throw error;
    process.stdout.write(`${String(port)}\n`);
  });
}

/** Shows warnings beside their resources, once each. `engine`: its address. */
export function warner(engine: string): (urn: string, message: string) => void {
  const client = new engines.EngineClient(engine, grpc.credentials.createInsecure());
  const told = new Set<string>();
  return (urn, message) => {
    if (told.has(urn + message)) return;
    told.add(urn + message);
    const request = new log.LogRequest();
    request.setSeverity(log.LogSeverity.WARNING);
    request.setUrn(urn);
    request.setMessage(message);
    client.log(request, () => undefined); // a warning that is lost stops nothing
  };
}

function implementation(version: string, provider: Simulated): grpc.UntypedServiceImplementation {
  return {
    handshake: unary(() => new rpc.ProviderHandshakeResponse()),
    attach: unary(() => new empty.Empty()),
    cancel: unary(() => new empty.Empty()),
    getPluginInfo: unary(() => {
      const answer = new plugin.PluginInfo();
      answer.setVersion(version);
      return answer;
    }),
    getSchema: unary(() => {
      const answer = new rpc.GetSchemaResponse();
      answer.setSchema("{}");
      return answer;
    }),
    checkConfig: unary((request: messages.CheckRequest) => checked(bag(request.getNews()), [])),
    diffConfig: unary((request: messages.DiffRequest) => {
      const [olds, news] = [
        bag(request.hasOldInputs() ? request.getOldInputs() : request.getOlds()),
        bag(request.getNews()),
      ];
      const keys = [...new Set([...Object.keys(olds), ...Object.keys(news)])];
      const changed = keys.filter((key) => key !== "version" && !isDeepStrictEqual(olds[key], news[key]));
      return differs({
        changes: new Map(changed.map((key) => [key, { kind: "update", replaces: false }])),
        replaces: [],
        deleteBeforeReplace: false,
      });
    }),
    configure: unary((request: messages.ConfigureRequest) => {
      provider.configure(opened(bag(request.getArgs())));
      const answer = new rpc.ConfigureResponse();
      answer.setSupportspreview(true); // neither secrets nor references are taken wrapped: the engine looks after both
      return answer;
    }),
    check: unary(async (request: messages.CheckRequest) => {
      const { inputs, failures } = await provider.check(
        request.getUrn(),
        bag(request.getOlds()),
        bag(request.getNews()),
      );
      return checked(inputs, failures);
    }),
    diff: unary(async (request: messages.DiffRequest) =>
      differs(
        await provider.diff(
          request.getUrn(),
          bag(request.getOldInputs()),
          bag(request.getOlds()),
          bag(request.getNews()),
        ),
      ),
    ),
    create: unary(async (request: messages.CreateRequest) => {
      const made = await provider.create(request.getUrn(), bag(request.getProperties()), request.getPreview());
      const answer = new rpc.CreateResponse();
      answer.setId(made.id);
      answer.setProperties(packed(made.outputs));
      return answer;
    }),
    update: unary(async (request: messages.UpdateRequest) => {
      const [olds, news] = [bag(request.getOlds()), bag(request.getNews())];
      const answer = new rpc.UpdateResponse();
      answer.setProperties(
        packed(await provider.update(request.getId(), request.getUrn(), olds, news, request.getPreview())),
      );
      return answer;
    }),
    delete: unary(async (request: messages.DeleteRequest) => {
      await provider.delete(request.getId(), request.getUrn(), bag(request.getProperties()));
      return new empty.Empty();
    }),
    read: unary((request: messages.ReadRequest) => {
      const found = provider.read(request.getId(), request.getUrn(), bag(request.getProperties()));
      const answer = new rpc.ReadResponse();
      if (!found) return answer;
      answer.setId(request.getId());
      answer.setProperties(packed(found));
      answer.setInputs(request.getInputs());
      return answer;
    }),
    invoke: unary((request: messages.InvokeRequest) => provider.invoke(request.getTok())),
  };
}

function unary<Q, A>(answer: (request: Q) => A | Promise<A>): grpc.handleUnaryCall<Q, A> {
  return (call, callback) => {
    Promise.resolve()
      .then(() => answer(call.request))
      .then(
        (value) => {
          callback(null, value);
        },
        (error: unknown) => {
          callback(failed(error));
        },
      );
  };
}

/** The engine reads from `grpc-status-details-bin` that a thing was made although the call failed. */
function failed(error: unknown): Partial<grpc.StatusObject> {
  const message = error instanceof Error ? error.message : String(error);
  if (!(error instanceof HalfMade)) return { code: grpc.status.UNKNOWN, details: message };
  const detail = new rpc.ErrorResourceInitFailed();
  detail.setId(error.id);
  detail.setProperties(packed(error.outputs));
  detail.setReasonsList([message]);
  const details = new any.Any();
  details.pack(detail.serializeBinary(), "pulumirpc.ErrorResourceInitFailed");
  const answer = new status.Status();
  answer.setCode(grpc.status.UNKNOWN);
  answer.setMessage(message);
  answer.addDetails(details);
  const metadata = new grpc.Metadata();
  metadata.add("grpc-status-details-bin", Buffer.from(answer.serializeBinary()));
  return { code: grpc.status.UNKNOWN, details: message, metadata };
}

function checked(inputs: Bag, failures: readonly string[]): InstanceType<typeof rpc.CheckResponse> {
  const answer = new rpc.CheckResponse();
  answer.setInputs(packed(inputs));
  answer.setFailuresList(
    failures.map((reason) => {
      const failure = new rpc.CheckFailure();
      failure.setReason(reason);
      return failure;
    }),
  );
  return answer;
}

function differs({ changes, replaces, deleteBeforeReplace }: Difference): InstanceType<typeof rpc.DiffResponse> {
  const answer = new rpc.DiffResponse();
  const { DIFF_NONE, DIFF_SOME } = rpc.DiffResponse.DiffChanges;
  answer.setChanges(changes.size === 0 ? DIFF_NONE : DIFF_SOME);
  answer.setReplacesList(replaces);
  answer.setDeletebeforereplace(deleteBeforeReplace);
  answer.setDiffsList([...new Set([...changes.keys()].map((path) => path.split(/[.[]/)[0] ?? path))]);
  answer.setHasdetaileddiff(true);
  const kinds = rpc.PropertyDiff.Kind;
  for (const [path, { kind, replaces: again }] of changes) {
    const one = new rpc.PropertyDiff();
    const name = `${kind.toUpperCase()}${again ? "_REPLACE" : ""}` as keyof typeof kinds;
    one.setKind(kinds[name]);
    one.setInputdiff(true);
    answer.getDetaileddiffMap().set(path, one);
  }
  return answer;
}

function bag(from: Struct | undefined): Bag {
  return (from?.toJavaScript() as Bag | undefined) ?? {};
}

/** JSON has no undefined, and a Struct does not either. */
function packed(values: Bag): Struct {
  return struct.Struct.fromJavaScript(
    JSON.parse(JSON.stringify(values)) as Parameters<typeof struct.Struct.fromJavaScript>[0],
  );
}

/** A provider's config comes as texts, with JSON in those that are no texts. */
function opened(config: Bag): Bag {
  return Object.fromEntries(
    Object.entries(config).map(([key, value]) => {
      if (typeof value !== "string" || !/^(?:[[{]|true$|false$)/.test(value)) return [key, value];
      try {
        return [key, JSON.parse(value) as unknown];
      } catch {
        return [key, value];
      }
    }),
  );
}
