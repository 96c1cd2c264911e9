package interop.kcl;

import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.stream.Collectors;
import software.amazon.awssdk.core.SdkBytes;
import software.amazon.awssdk.services.dynamodb.model.AttributeValue;
import software.amazon.awssdk.services.kinesis.model.PutRecordsRequestEntry;
import software.amazon.awssdk.services.kinesis.model.ScalingType;
import software.amazon.awssdk.services.kinesis.model.Shard;
import software.amazon.awssdk.services.kinesis.model.ShardIteratorType;
import software.amazon.awssdk.services.kinesis.model.StreamStatus;

/**
 * The proof that applications of the Kinesis Client Library and of the Kinesis Producer Library work unmodified, with leases in tables and
 * metrics on. Each scenario has a stream, an application and processes of its own, and all run side by side. Arguments are the class paths with
 * version 3 and with version 2, and then words that stand in the names of the scenarios to run; none is all.
 */
public final class Proof {
    private static final Clients CLIENTS = new Clients();
    private static final Path DIR = tempDir();

    /** Where the classes of each version of the library are; the first is the newest. */
    private static String path3;
    private static String path2;

    public static void main(String[] args) throws Exception {
        path3 = args[0];
        path2 = args[1];
        Set<String> only = args.length > 2 ? new HashSet<>(List.of(args).subList(2, args.length)) : Set.of();
        List<Thread> threads = new ArrayList<>();
        Map<String, Body> all = new TreeMap<>();
        all.put("KCL 3.5 polling, three workers, a reshard, the leader killed", () -> killed("kcl3-polling", path3, "polling", 3, true));
        all.put("KCL 3.5 fan-out, three workers, a reshard, another worker killed", () -> killed("kcl3-fan-out", path3, "fan-out", 3, false));
        all.put("KCL 2.7 polling, two workers, a reshard, one killed", () -> killed("kcl2-polling", path2, "polling", 2, false));
        all.put("KCL 2.7 fan-out, two workers, a reshard, one killed", () -> killed("kcl2-fan-out", path2, "fan-out", 2, false));
        all.put("KPL 1.0 over TLS, read by KCL 3.5", Proof::aggregated);
        all.forEach((name, body) -> {
            if (only.isEmpty() || only.stream().anyMatch(name::contains)) {
                Thread thread = new Thread(() -> check(name, body));
                threads.add(thread);
                thread.start();
            }
        });
        for (Thread thread : threads) {
            thread.join();
        }
        System.exit(0); // Netty's threads have nothing more to do
    }

    interface Body {
        String run() throws Exception;
    }

    private static void check(String name, Body body) {
        try {
            String counted = body.run();
            System.out.println("# " + name + ": " + counted + "\nok " + name);
        } catch (Throwable problem) {
            System.out.println(("not ok " + name + ": " + problem).replace('\n', ' '));
            problem.printStackTrace();
        }
    }

    /** Prints a line of docs/compatibility.md; a scenario does at its end, when all that it says is checked. */
    private static void row(String client, String version, String what, String sent, String received, String faults) {
        System.out.println(String.join(" | ", "= " + client, version, what, sent, received, faults));
    }

    /** A count that is the machine's affair: its first figure is enough. */
    private static String about(int records) {
        long unit = (long) Math.pow(10, Math.floor(Math.log10(records)));
        return String.format("%,d records or more", records / unit * unit);
    }

    /** The version of an artifact among the jars of a class path, whose second part is a folder of them. */
    private static String version(String path, String artifact) {
        String[] jars = new File(path.split(File.pathSeparator)[1]).getParentFile().list((dir, file) -> file.matches(artifact + "-[0-9.]+\\.jar"));
        equal(jars.length, 1, "jars of " + artifact);
        return jars[0].substring(artifact.length() + 1, jars[0].length() - ".jar".length());
    }

    static void equal(Object got, Object want, String what) {
        if (!got.equals(want)) {
            throw new AssertionError(what + ": got " + got + ", want " + want);
        }
    }

    private static Path tempDir() {
        try {
            Path dir = Files.createTempDirectory("weir-kcl-");
            dir.toFile().deleteOnExit();
            return dir;
        } catch (IOException problem) {
            throw new IllegalStateException(problem);
        }
    }

    /** Waits for a condition, or says what did not happen. */
    private static void until(String what, int seconds, BooleanSupplier condition) throws InterruptedException {
        for (long deadline = System.currentTimeMillis() + seconds * 1000L; !condition.getAsBoolean();) {
            if (System.currentTimeMillis() > deadline) {
                throw new AssertionError(what + ": not within " + seconds + " s");
            }
            Thread.sleep(100);
        }
    }

    /** A line that a worker has printed. */
    record Line(char kind, long millis, String worker, String shard, String key, int number, String sequence) {
        static Line parse(String worker, String text) {
            String[] parts = text.split(" ");
            boolean record = parts[0].equals("R");
            return new Line(parts[0].charAt(0), Long.parseLong(parts[1]), worker, parts[2], record ? parts[3] : "",
                    record ? Integer.parseInt(parts[4]) : -1, record ? parts[5] : "");
        }
    }

    /** An application of the library: its workers, and what they have said. */
    private static final class Application implements AutoCloseable {
        private final String name;
        private final String path;
        private final String mode;
        final Map<String, Process> workers = new TreeMap<>();
        private final List<Thread> readers = new ArrayList<>();
        private final List<Line> lines = new ArrayList<>(); // guarded by this

        Application(String name, String path, String mode, int count) throws Exception {
            this.name = name;
            this.path = path;
            this.mode = mode;
            for (int i = 0; i < count; i++) {
                start(name + "-" + (char) ('a' + i));
                if (i == 0 && count > 1 && path.equals(path3)) {
                    // Whoever loses the race for the index is told that it exists, begins its initialization again, and was then given no lease for minutes.
                    until(name + " has its table and index", 90, () -> indexed(name));
                }
            }
        }

        private static boolean indexed(String table) {
            try {
                return CLIENTS.dynamo.describeTable(r -> r.tableName(table)).join().table().hasGlobalSecondaryIndexes();
            } catch (java.util.concurrent.CompletionException notYet) {
                return false;
            }
        }

        private File log(String worker) {
            return DIR.resolve(worker + ".log").toFile();
        }

        private void start(String worker) throws IOException {
            ProcessBuilder command = new ProcessBuilder("java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
                    "-Dorg.slf4j.simpleLogger.showDateTime=true", "-cp", path, "interop.kcl.Worker", name, name, worker, mode);
            Process process = command.redirectError(log(worker)).start();
            workers.put(worker, process);
            Thread reader = new Thread(() -> {
                try (BufferedReader from = new BufferedReader(new InputStreamReader(process.getInputStream()))) {
                    for (String text = from.readLine(); text != null; text = from.readLine()) {
                        synchronized (this) {
                            lines.add(Line.parse(worker, text));
                        }
                    }
                } catch (IOException | RuntimeException ended) {
                    System.err.println(worker + ": " + ended); // half a line of one that was killed
                }
            });
            readers.add(reader);
            reader.start();
        }

        /** What was said, in the order of time: the workers share a clock. */
        synchronized List<Line> lines() {
            List<Line> sorted = new ArrayList<>(lines);
            sorted.sort((a, b) -> Long.compare(a.millis(), b.millis()));
            return sorted;
        }

        /** Who processes each shard now. */
        Map<String, String> holders() {
            Map<String, String> holders = new TreeMap<>();
            for (Line line : lines()) {
                switch (line.kind()) {
                    case 'I' -> holders.put(line.shard(), line.worker());
                    case 'L', 'E' -> holders.remove(line.shard(), line.worker());
                    default -> { }
                }
            }
            return holders;
        }

        int seen() {
            return lines().stream().filter(line -> line.kind() == 'R').map(line -> line.key() + " " + line.number()).collect(Collectors.toSet()).size();
        }

        /** Kills a worker as a machine does that loses power. */
        void kill(String worker) throws InterruptedException {
            Process process = workers.remove(worker);
            process.destroyForcibly();
            process.waitFor();
        }

        /** Ends the workers as an operator does. */
        void stop() throws Exception {
            for (Process process : workers.values()) {
                process.getOutputStream().close();
            }
            for (Map.Entry<String, Process> one : workers.entrySet()) {
                equal(one.getValue().waitFor(60, TimeUnit.SECONDS) && one.getValue().exitValue() == 0, true, one.getKey() + " has ended");
            }
            for (Thread reader : readers) {
                reader.join();
            }
        }

        /** What the workers have complained about, by the class that did. */
        Map<String, Long> complaints() throws IOException {
            Map<String, Long> found = new TreeMap<>();
            for (File log : DIR.toFile().listFiles((dir, file) -> file.startsWith(name + "-"))) {
                for (String line : Files.readAllLines(log.toPath())) {
                    for (String level : List.of(" WARN ", " ERROR ")) {
                        int at = line.indexOf(level);
                        if (at >= 0) {
                            String from = line.substring(at + 1).split(" - ")[0];
                            found.merge(from.replaceAll("[a-z]+\\.", ""), 1L, Long::sum);
                        }
                    }
                }
            }
            return found;
        }

        @Override
        public void close() {
            workers.values().forEach(Process::destroyForcibly);
        }
    }

    private static void createStream(String stream, int shards) throws InterruptedException {
        CLIENTS.kinesis.createStream(r -> r.streamName(stream).shardCount(shards)).join();
        awaitActive(stream);
    }

    private static void awaitActive(String stream) throws InterruptedException {
        until(stream + " is ACTIVE", 30, () -> CLIENTS.kinesis.describeStreamSummary(r -> r.streamName(stream)).join().streamDescriptionSummary()
                .streamStatus() == StreamStatus.ACTIVE);
    }

    private static final int KEYS = 20;

    /** Puts one record of each key again and again, until it is told to stop. */
    private static final class Producer implements Runnable {
        private final String stream;
        private volatile boolean stop;
        volatile int each; // records of each key so far
        private final Thread thread = new Thread(this);

        Producer(String stream) {
            this.stream = stream;
            thread.start();
        }

        @Override
        public void run() {
            try {
                while (!stop) {
                    List<PutRecordsRequestEntry> entries = new ArrayList<>();
                    for (int k = 0; k < KEYS; k++) {
                        entries.add(PutRecordsRequestEntry.builder().partitionKey("key-" + k).data(SdkBytes.fromUtf8String(String.valueOf(each))).build());
                    }
                    equal(CLIENTS.kinesis.putRecords(r -> r.streamName(stream).records(entries)).join().failedRecordCount(), 0, "failed records");
                    each++;
                    Thread.sleep(50);
                }
            } catch (InterruptedException ended) {
                throw new IllegalStateException(ended);
            }
        }

        int stop() throws InterruptedException {
            stop = true;
            thread.join();
            return each;
        }
    }

    /** Reads a stream while it is resharded and a worker is killed. */
    private static String killed(String name, String path, String mode, int count, boolean killLeader) throws Exception {
        long began = System.currentTimeMillis();
        createStream(name, 4);
        try (Application application = new Application(name, path, mode, count)) {
            Producer producer = new Producer(name);
            try {
                until("two workers or more process all shards", 120, () -> application.holders().size() == 4
                        && new HashSet<>(application.holders().values()).size() >= 2);
                until("records are read", 30, () -> application.seen() > 20 * KEYS);
                String leader = leader(name);
                String victim = application.holders().values().stream().filter(worker -> leader.isEmpty() || worker.equals(leader) == killLeader)
                        .findFirst().orElseThrow();
                CLIENTS.kinesis.updateShardCount(r -> r.streamName(name).targetShardCount(6).scalingType(ScalingType.UNIFORM_SCALING)).join();
                int busy = new HashSet<>(application.holders().values()).size();
                Set<String> held = application.holders().entrySet().stream().filter(entry -> entry.getValue().equals(victim)).map(Map.Entry::getKey)
                        .collect(Collectors.toCollection(TreeSet::new));
                long killedAt = System.currentTimeMillis();
                application.kill(victim);
                awaitActive(name);
                until("another worker processes what the killed one had", 90, () -> moved(application, victim, held, killedAt).size() == held.size());
                until("the children are processed", 90, () -> application.holders().size() == 6);
                int each = producer.stop();
                until("every record is seen", 120, () -> application.seen() == each * KEYS);
                long slowest = moved(application, victim, held, killedAt).values().stream().mapToLong(at -> at - killedAt).max().orElse(0);
                equal(slowest < 60_000, true, "leases move within 60 s; it took " + slowest + " ms");
                application.stop();
                String verified = verify(application, name, each, true);
                row("Kinesis Client Library for Java", version(path, "amazon-kinesis-client"), mode + ", " + count + " workers with leases in tables and metrics on", about(each * KEYS),
                        "all of them, those of a key in order", (leader.equals(victim) ? "the worker that leads killed" : "a worker killed") + " during a reshard");
                return verified + "; " + busy + " of " + count + " workers had leases; the killed worker" + (leader.equals(victim) ? ", which was the leader," : "") + " had " + held.size()
                        + " leases, which moved in " + slowest + " ms; " + metrics(name) + "; complaints " + application.complaints() + "; "
                        + (System.currentTimeMillis() - began) / 1000 + " s";
            } finally {
                producer.stop();
                if (!application.workers.values().stream().noneMatch(Process::isAlive)) {
                    System.err.println(name + ": holders " + application.holders() + ", seen " + application.seen() + ", complaints " + application.complaints());
                }
            }
        }
    }

    /** When another worker began each of the shards that a killed one had. */
    private static Map<String, Long> moved(Application application, String victim, Set<String> held, long killedAt) {
        Map<String, Long> moved = new TreeMap<>();
        for (Line line : application.lines()) {
            if (line.kind() == 'I' && line.millis() >= killedAt && held.contains(line.shard()) && !line.worker().equals(victim)) {
                moved.putIfAbsent(line.shard(), line.millis());
            }
        }
        return moved;
    }

    /** The worker that assigns leases; empty in version 2, where each takes its own. */
    private static String leader(String table) {
        Map<String, AttributeValue> item = CLIENTS.dynamo.getItem(r -> r.tableName(table).consistentRead(true)
                .key(Map.of("leaseKey", AttributeValue.fromS("Leader")))).join().item();
        return item.containsKey("ownerName") ? item.get("ownerName").s() : "";
    }

    /** Holds what an application has read against what was put; the order within a key only where there was one. */
    private static String verify(Application application, String stream, int each, boolean ordered) {
        Map<String, Integer> next = new HashMap<>(); // of each key, the number that is seen for the first time next
        Map<String, Set<Integer>> seen = new HashMap<>();
        Set<String> ended = new HashSet<>();
        Map<String, Shard> shards = CLIENTS.kinesis.listShards(r -> r.streamName(stream)).join().shards().stream()
                .collect(Collectors.toMap(Shard::shardId, shard -> shard));
        Set<String> began = new TreeSet<>();
        int again = 0;
        for (Line line : application.lines()) {
            switch (line.kind()) {
                case 'I' -> {
                    began.add(line.shard());
                    Shard shard = shards.get(line.shard());
                    for (String parent : new String[] {shard.parentShardId(), shard.adjacentParentShardId()}) {
                        equal(parent == null || ended.contains(parent), true, line.shard() + " begins after its parent " + parent);
                    }
                }
                case 'E' -> ended.add(line.shard());
                case 'R' -> {
                    if (!seen.computeIfAbsent(line.key(), key -> new HashSet<>()).add(line.number())) {
                        again++;
                        continue;
                    }
                    int expected = next.getOrDefault(line.key(), 0);
                    equal(line.number() == expected || !ordered, true, line.key() + " has no gap: " + line.number() + " comes where " + expected + " is due, from " + line.shard());
                    next.put(line.key(), expected + 1);
                }
                default -> { }
            }
        }
        equal(next.size(), KEYS, "keys");
        next.forEach((key, number) -> equal(number, each, "records of " + key));
        return each * KEYS + " records of " + KEYS + " keys, each seen" + (ordered ? " and none before its predecessor, " : ", ") + again + " seen again; " + began.size() + " shards, "
                + ended.size() + " of them to their end";
    }

    /** What an application has reported of itself. */
    private static String metrics(String namespace) throws InterruptedException {
        until("metrics of " + namespace, 20, () -> names(namespace).contains("RecordsProcessed"));
        return names(namespace).size() + " metrics reported";
    }

    private static Collection<String> names(String namespace) {
        Set<String> names = new TreeSet<>();
        CLIENTS.cloudWatch.listMetricsPaginator(r -> r.namespace(namespace)).metrics().subscribe(metric -> names.add(metric.metricName())).join();
        return names;
    }

    /** Puts with the producer library, which packs many records into one, and reads them one by one. */
    private static String aggregated() throws Exception {
        String stream = "kpl";
        int each = 200;
        createStream(stream, 3);
        File log = DIR.resolve("kpl.log").toFile();
        Process produce = new ProcessBuilder("java", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", path3, "interop.kcl.Produce", stream,
                String.valueOf(KEYS), String.valueOf(each), DIR.toString()).redirectError(log).start();
        String said = new String(produce.getInputStream().readAllBytes()).strip();
        equal(produce.waitFor(), 0, "the producer has put everything; it said " + said + Files.readString(log.toPath()));
        int stored = 0;
        for (Shard shard : CLIENTS.kinesis.listShards(r -> r.streamName(stream)).join().shards()) {
            String iterator = CLIENTS.kinesis.getShardIterator(r -> r.streamName(stream).shardId(shard.shardId()).shardIteratorType(ShardIteratorType.TRIM_HORIZON))
                    .join().shardIterator();
            for (long behind = 1; behind > 0;) {
                String at = iterator;
                var page = CLIENTS.kinesis.getRecords(r -> r.shardIterator(at)).join();
                stored += page.records().size();
                iterator = page.nextShardIterator();
                behind = page.millisBehindLatest();
            }
        }
        equal(stored * 2 < each * KEYS, true, "records are packed; there are " + stored);
        try (Application application = new Application(stream, path3, "polling", 1)) {
            until("every record is seen", 90, () -> application.seen() == each * KEYS);
            application.stop();
            long inside = application.lines().stream().filter(line -> line.kind() == 'R' && !line.sequence().endsWith("/0")).count();
            String verified = verify(application, stream, each, false);
            row("Kinesis Producer Library for Java", version(path3, "amazon-kinesis-producer"), "packs records over TLS, which KCL 3 unpacks", each * KEYS + " records", "all of them", "none");
            return verified + "; they were stored as " + stored + ", " + inside + " have a subsequence number; " + said + "; producer and consumer: " + metrics(stream)
                    + (names(stream).contains("UserRecordsPut") ? "" : ", none of them the producer's");
        }
    }

    private Proof() {
    }
}
