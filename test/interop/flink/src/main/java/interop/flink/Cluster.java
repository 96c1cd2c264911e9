package interop.flink;

import java.io.File;
import java.io.IOException;
import java.net.ServerSocket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;

/** A JobManager and TaskManagers, each a process, on loopback ports; everything they write is in one folder. */
final class Cluster implements AutoCloseable {
    /** What Flink's own scripts open for Java 17 (env.java.opts.all), of the packages that jobs like this one touch. */
    private static final List<String> OPEN = List.of("java.base/java.lang", "java.base/java.lang.reflect", "java.base/java.net", "java.base/java.nio",
            "java.base/java.text", "java.base/java.time", "java.base/java.util", "java.base/java.util.concurrent", "java.base/java.util.concurrent.atomic",
            "java.base/java.util.concurrent.locks", "java.base/sun.net.util");

    private final Path dir;
    private final HttpClient http = HttpClient.newHttpClient();
    private final List<Process> processes = new ArrayList<>();
    private final Map<String, String> settings = new LinkedHashMap<>();
    final int restPort = freePort();

    Cluster(Path dir) throws IOException {
        this.dir = dir;
        Files.createDirectories(dir.resolve("conf"));
        Files.writeString(dir.resolve("conf/config.yaml"), "{}\n");
        settings.put("jobmanager.rpc.address", "127.0.0.1");
        settings.put("jobmanager.rpc.port", String.valueOf(freePort()));
        settings.put("rest.address", "127.0.0.1");
        settings.put("rest.bind-address", "127.0.0.1");
        settings.put("rest.port", String.valueOf(restPort));
        settings.put("jobmanager.bind-host", "127.0.0.1");
        settings.put("taskmanager.bind-host", "127.0.0.1");
        settings.put("taskmanager.host", "127.0.0.1");
        settings.put("taskmanager.numberOfTaskSlots", "2");
        settings.put("cluster.evenly-spread-out-slots", "true"); // so that each TaskManager has a part of the job in 1.20
        settings.put("taskmanager.load-balance.mode", "SLOTS"); // the same in 2
        settings.put("heartbeat.interval", "1000");
        settings.put("heartbeat.timeout", "5000");
        settings.put("io.tmp.dirs", dir.toString());
        // The memory of a TaskManager has to be given in its parts when Flink's scripts do not divide it.
        settings.put("taskmanager.cpu.cores", "1.0");
        settings.put("taskmanager.memory.framework.heap.size", "96m");
        settings.put("taskmanager.memory.task.heap.size", "224m");
        settings.put("taskmanager.memory.framework.off-heap.size", "64m");
        settings.put("taskmanager.memory.task.off-heap.size", "32m");
        settings.put("taskmanager.memory.network.min", "32m");
        settings.put("taskmanager.memory.network.max", "32m");
        settings.put("taskmanager.memory.managed.size", "16m");
        settings.put("taskmanager.memory.jvm-metaspace.size", "128m");
        settings.put("taskmanager.memory.jvm-overhead.min", "64m");
        settings.put("taskmanager.memory.jvm-overhead.max", "64m");
        start("jobmanager", "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint", "256m");
    }

    /** Starts a TaskManager and returns once the JobManager knows it; its process is the key to killing it. */
    Process taskManager(String name) throws Exception {
        Process started = start(name, "org.apache.flink.runtime.taskexecutor.TaskManagerRunner", "320m");
        Proof.until("the TaskManager " + name, 60, () -> {
            if (!started.isAlive()) {
                throw new IllegalStateException(name + " has ended: " + tail(name));
            }
            return get("/taskmanagers").toString().contains("\"" + name + "\"");
        });
        return started;
    }

    private Process start(String name, String main, String heap) throws IOException {
        List<String> command = new ArrayList<>(List.of("java", "-Xmx" + heap, "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
                "-Dorg.slf4j.simpleLogger.showDateTime=true", "-Dlog.file=" + dir.resolve(name + ".log"), "-cp", System.getProperty("java.class.path")));
        for (String one : OPEN) {
            command.add(1, "--add-opens=" + one + "=ALL-UNNAMED");
        }
        command.addAll(List.of(main, "--configDir", dir.resolve("conf").toString()));
        Map<String, String> all = new LinkedHashMap<>(settings);
        if (!name.equals("jobmanager")) {
            all.put("taskmanager.resource-id", name);
        }
        all.forEach((key, value) -> command.add("-D" + key + "=" + value));
        File log = dir.resolve(name + ".log").toFile();
        Process process = new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(ProcessBuilder.Redirect.appendTo(log)).start();
        processes.add(process);
        return process;
    }

    /** What the JobManager says of a path of its REST API; an empty object while it does not answer. */
    JsonNode get(String path) {
        ObjectMapper json = new ObjectMapper();
        try {
            HttpRequest request = HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + restPort + "/v1" + path)).build();
            return json.readTree(http.send(request, HttpResponse.BodyHandlers.ofString()).body());
        } catch (IOException | InterruptedException notYet) {
            return json.createObjectNode();
        }
    }

    /** Ends a job for good; its source's clean-up, such as the deregistration of a consumer, runs. */
    void cancel(String job) throws IOException, InterruptedException {
        HttpRequest request = HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + restPort + "/v1/jobs/" + job))
                .method("PATCH", HttpRequest.BodyPublishers.noBody()).build();
        http.send(request, HttpResponse.BodyHandlers.discarding());
    }

    /** The last lines of a process. */
    String tail(String name) {
        try {
            List<String> lines = Files.readAllLines(dir.resolve(name + ".log"));
            return String.join(" | ", lines.subList(Math.max(0, lines.size() - 5), lines.size()));
        } catch (IOException unreadable) {
            return unreadable.toString();
        }
    }

    @Override
    public void close() {
        for (Process process : processes) {
            process.descendants().forEach(ProcessHandle::destroyForcibly); // the producer library's own process
            process.destroyForcibly();
        }
    }

    private static int freePort() throws IOException {
        try (ServerSocket socket = new ServerSocket(0)) {
            return socket.getLocalPort();
        }
    }
}
