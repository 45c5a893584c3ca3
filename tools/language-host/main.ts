/**
 * A Node.js language host: the gRPC server that the Pulumi engine asks to run a program. It starts the SDK's own
 * `cmd/run` with the request's fields, so hooks, error hooks and transforms are the SDK's, and `cmd/run-policy-pack` for
 * a policy pack. Of `runtime.options` it takes `nodeargs`. It serves what `pulumi up|preview|destroy|refresh|about` and
 * `pulumi package add|gen-sdk` call; `pulumi convert` answers UNIMPLEMENTED, as it needs the official host.
 */
import { spawn } from "node:child_process";
import module from "node:module";
import { join } from "node:path";
import process from "node:process";

import * as grpc from "@grpc/grpc-js";
import language from "@pulumi/pulumi/proto/language_pb.js";
import plugin from "@pulumi/pulumi/proto/plugin_pb.js";
import empty from "google-protobuf/google/protobuf/empty_pb.js";
import services from "@pulumi/pulumi/proto/language_grpc_pb.js";

import type { ChildProcess } from "node:child_process";
import type {
  GeneratePackageRequest,
  InstallDependenciesRequest,
  InstallDependenciesResponse,
  LanguageHandshakeRequest,
  LinkRequest,
  RunPluginRequest,
  RunRequest,
} from "@pulumi/pulumi/proto/language_pb.js";

/** The exit code of `cmd/run` if the user has been told already (see the SDK's cmd/run/index.ts). */
const alreadyReported = 32;

const require = module.createRequire(import.meta.url);

/** The first text that is not empty: in gRPC an empty string means "not given". */
function filled(...values: (string | undefined)[]): string {
  return values.find((value) => value !== undefined && value !== "") ?? "";
}

/** The programs that run now. They end with us. */
const programs = new Set<ChildProcess>();

function endPrograms(): void {
  for (const program of programs) program.kill("SIGTERM");
}

/** Starts `cmd/run` and resolves when the program has ended. */
function run(
  request: RunRequest,
  engine: string,
  call: grpc.ServerUnaryCall<unknown, unknown>,
): Promise<InstanceType<typeof language.RunResponse>> {
  const info = request.getInfo();
  const root = info?.getRootDirectory() ?? request.getPwd();
  const flags: [string, string][] = [
    ["monitor", request.getMonitorAddress()],
    ["engine", engine],
    ["organization", request.getOrganization()],
    ["project", request.getProject()],
    ["root-directory", root],
    ["stack", request.getStack()],
    ["pwd", filled(info?.getProgramDirectory(), request.getPwd())],
    ["parallel", String(request.getParallel())],
  ];
  const args = flags.filter(([, value]) => value !== "").map(([key, value]) => `--${key}=${value}`);
  if (request.getDryrun()) args.push("--dry-run");
  args.push(filled(info?.getEntryPoint(), request.getProgram(), "."), ...request.getArgsList());
  const asked = info?.getOptions()?.toJavaScript().nodeargs;
  const nodeArgs = typeof asked === "string" ? asked.split(" ") : [];
  const runner = require.resolve("@pulumi/pulumi/cmd/run", { paths: [root] });
  const child = spawn(process.execPath, [...nodeArgs, runner, ...args], {
    cwd: filled(info?.getProgramDirectory(), request.getPwd()),
    stdio: ["ignore", "inherit", "inherit"],
    env: {
      ...process.env,
      PULUMI_CONFIG: JSON.stringify(Object.fromEntries(request.getConfigMap().toArray())),
      PULUMI_CONFIG_SECRET_KEYS: JSON.stringify(request.getConfigsecretkeysList()),
      // The same meaning as `runtime.options.typescript: false`: Node strips the types itself.
      PULUMI_NODEJS_TYPESCRIPT: "false",
    },
  });
  programs.add(child);
  call.on("cancelled", () => child.kill("SIGTERM"));
  return new Promise((resolve) => {
    const answer = new language.RunResponse();
    child.on("error", (error) => {
      answer.setError(`the program could not be started: ${error.message}`);
      resolve(answer);
    });
    child.on("close", (code, signal) => {
      programs.delete(child);
      if (code === alreadyReported) answer.setBail(true);
      else if (code !== 0)
        answer.setError(`the program ended with ${signal === null ? `exit code ${String(code)}` : `signal ${signal}`}`);
      resolve(answer);
    });
  });
}

/** Starts a policy pack. Its first line is the port of its own server; it ends when the engine ends the call. */
function runPlugin(call: grpc.ServerWritableStream<RunPluginRequest, InstanceType<typeof language.RunPluginResponse>>) {
  const { request } = call;
  if (request.getKind() !== "analyzer") {
    call.destroy(Object.assign(new Error("policy packs alone"), { code: grpc.status.UNIMPLEMENTED }));
    return;
  }
  const info = request.getInfo();
  const folder = filled(info?.getProgramDirectory(), request.getPwd());
  const program = join(folder, filled(info?.getEntryPoint(), "."));
  const runner = require.resolve("@pulumi/pulumi/cmd/run-policy-pack", { paths: [folder] });
  const child = spawn(process.execPath, [runner, ...request.getArgsList(), program], {
    cwd: folder,
    stdio: ["ignore", "pipe", "pipe"],
    env: {
      ...process.env,
      ...(Object.fromEntries(request.getEnvList().map((pair) => pair.split(/=(.*)/s, 2))) as Record<string, string>),
      PULUMI_NODEJS_TYPESCRIPT: "false",
    },
  });
  programs.add(child);
  call.on("cancelled", () => child.kill("SIGTERM"));
  const answer = (fill: (response: InstanceType<typeof language.RunPluginResponse>) => void): void => {
    const response = new language.RunPluginResponse();
    fill(response);
    call.write(response);
  };
  child.stdout.on("data", (text: Buffer) => {
    answer((response) => {
      response.setStdout(text);
    });
  });
  child.stderr.on("data", (text: Buffer) => {
    answer((response) => {
      response.setStderr(text);
    });
  });
  const ended = (code: number): void => {
    programs.delete(child);
    answer((response) => {
      response.setExitcode(code);
    });
    call.end();
  };
  child.on("error", () => {
    ended(1);
  });
  child.on("close", (code) => {
    ended(code ?? 1);
  });
}

/** The generators' own work, which few calls want. */
const packages = () => import("./packages.ts");

/** A unary call, which `answer` answers. An error that it throws becomes the call's error. */
function unary<Q, A>(
  answer: (request: Q, call: grpc.ServerUnaryCall<Q, A>) => A | Promise<A>,
): grpc.handleUnaryCall<Q, A> {
  return (call, callback) => {
    Promise.resolve()
      .then(() => answer(call.request, call))
      .then(
        (value) => {
          callback(null, value);
        },
        (error: unknown) => {
          callback({ code: grpc.status.INTERNAL, message: String(error) });
        },
      );
  };
}

// The engine ends us before Node writes the cache of compiled code itself.
module.flushCompileCache();
let engine = process.argv.slice(2).find((argument) => !argument.startsWith("-")) ?? "";

const server = new grpc.Server({ "grpc.max_receive_message_length": 400 * 1024 * 1024 });
server.addService(services.LanguageRuntimeService, {
  handshake: unary((request: LanguageHandshakeRequest) => {
    engine = filled(request.getEngineAddress(), engine);
    return new language.LanguageHandshakeResponse();
  }),
  getPluginInfo: unary(() => new plugin.PluginInfo()),
  // We name no package: set-up has put the plugins where the engine looks. All of them would fetch three clouds'
  // plugins.
  getRequiredPackages: unary(() => new language.GetRequiredPackagesResponse()),
  getProgramDependencies: unary(() => new language.GetProgramDependenciesResponse()),
  about: unary(() => {
    const answer = new language.AboutResponse();
    answer.setExecutable(process.execPath);
    answer.setVersion(process.version);
    return answer;
  }),
  run: unary((request: RunRequest, call) => run(request, engine, call)),
  runPlugin,
  generatePackage: unary(async (request: GeneratePackageRequest) => (await packages()).generatePackage(request)),
  link: unary(async (request: LinkRequest) => (await packages()).link(request)),
  installDependencies: (call: grpc.ServerWritableStream<InstallDependenciesRequest, InstallDependenciesResponse>) => {
    void packages().then(({ installDependencies }) => {
      installDependencies(call);
    });
  },
  cancel: unary(() => {
    endPrograms();
    return new empty.Empty();
  }),
});
server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error;
  process.stdout.write(`${String(port)}\n`); // the engine reads the port from the first line
});
process.on("exit", endPrograms);

// A killed engine cannot end its children: they get another parent, and would live for ever.
const parent = process.ppid;
setInterval(() => {
  if (process.ppid !== parent) process.exit(1);
}, 1_000).unref();
