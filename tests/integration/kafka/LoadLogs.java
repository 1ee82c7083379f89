import java.io.BufferedReader;
import java.io.File;
import java.io.InputStreamReader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.kafka.common.utils.Time;
import org.apache.kafka.server.util.KafkaScheduler;
import org.apache.kafka.server.storage.log.FetchIsolation;
import org.apache.kafka.storage.internals.log.FetchDataInfo;
import org.apache.kafka.storage.internals.log.LogConfig;
import org.apache.kafka.storage.internals.log.LogDirFailureChannel;
import org.apache.kafka.storage.internals.log.LogOffsetMetadata;
import org.apache.kafka.storage.internals.log.LogOffsetsListener;
import org.apache.kafka.storage.internals.log.LogSegment;
import org.apache.kafka.storage.internals.log.ProducerStateManagerConfig;
import org.apache.kafka.storage.internals.log.UnifiedLog;
import org.apache.kafka.storage.log.metrics.BrokerTopicStats;

/**
 * Loads partition directories as a broker does when it starts, with the broker's own classes and without a broker.
 *
 * A line of input is a partition's directory, `true` if the log directory has a clean shutdown marker, the recovery
 * point and the log start offset of the checkpoints, and offsets to look for, tab-separated. A line of output is the log
 * start offset, the log end offset, base offset:bytes of every segment that is left and where each of the offsets is
 * found, or `refused` and the exception that ends a broker.
 */
public class LoadLogs {
    public static void main(String[] arguments) throws Exception {
        KafkaScheduler scheduler = new KafkaScheduler(1);
        scheduler.startup();
        LogDirFailureChannel failures = new LogDirFailureChannel(1);
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in));
        for (String line; (line = input.readLine()) != null; ) {
            String[] fields = line.split("\t");
            System.out.println(load(fields, scheduler, failures));
            System.out.flush();
        }
        System.exit(0);
    }

    /** Where a fetch at each offset begins: base offset of the segment:byte, `-` for nowhere, `!` for an exception. */
    private static String finds(UnifiedLog log, String offsets) {
        StringBuilder out = new StringBuilder("finds");
        for (String text : offsets.split(",")) {
            if (text.isEmpty()) {
                continue;
            }
            long offset = Long.parseLong(text);
            out.append(' ');
            try {
                if (offset >= log.logEndOffset()) {
                    out.append('-');
                    continue;
                }
                FetchDataInfo info = log.read(offset, 1, FetchIsolation.LOG_END, true);
                if (info.records.sizeInBytes() == 0) {
                    out.append('-');
                } else {
                    LogOffsetMetadata place = info.fetchOffsetMetadata;
                    out.append(place.segmentBaseOffset).append(':').append(place.relativePositionInSegment);
                }
            } catch (Exception error) {
                out.append('!');
            }
        }
        return out.toString();
    }

    private static String load(String[] fields, KafkaScheduler scheduler, LogDirFailureChannel failures) {
        try {
            UnifiedLog log = UnifiedLog.create(
                new File(fields[0]),
                new LogConfig(Map.of(LogConfig.INTERNAL_SEGMENT_BYTES_CONFIG, "1048576", "segment.index.bytes", "65536")),
                Long.parseLong(fields[3]),
                Long.parseLong(fields[2]),
                scheduler,
                new BrokerTopicStats(),
                Time.SYSTEM,
                900_000,
                new ProducerStateManagerConfig(86_400_000, false),
                600_000,
                failures,
                Boolean.parseBoolean(fields[1]),
                Optional.empty(),
                new ConcurrentHashMap<>(),
                false,
                LogOffsetsListener.NO_OP_OFFSETS_LISTENER);
            StringBuilder out = new StringBuilder();
            out.append(log.logStartOffset()).append('\t').append(log.logEndOffset());
            for (LogSegment segment : log.logSegments()) {
                out.append('\t').append(segment.baseOffset()).append(':').append(segment.size());
            }
            String found = finds(log, fields.length > 4 ? fields[4] : "");
            log.closeHandlers();
            return out.append('\t').append(found).toString();
        } catch (Throwable error) {
            return "refused\t" + error.getClass().getSimpleName() + "\t" + String.valueOf(error.getMessage()).replaceAll("\\s+", " ");
        }
    }
}
