import static org.junit.platform.engine.discovery.ClassNameFilter.includeClassNamePatterns;
import static org.junit.platform.engine.discovery.DiscoverySelectors.selectPackage;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.eclipse.dataspacetck.core.system.ConsoleMonitor;
import org.eclipse.dataspacetck.dsp.system.DspSystemLauncher;
import org.eclipse.dataspacetck.runtime.ConsoleResultWriter;
import org.eclipse.dataspacetck.runtime.TckRuntime;
import org.junit.jupiter.api.Disabled;
import org.junit.platform.engine.support.descriptor.MethodSource;
import org.junit.platform.launcher.TestIdentifier;
import org.junit.platform.launcher.TestPlan;
import org.junit.platform.launcher.core.LauncherDiscoveryRequestBuilder;
import org.junit.platform.launcher.core.LauncherFactory;

/**
 * Runs the conformance kit of the Dataspace Protocol: {@code java -cp 'lib/*' DspTck.java -config FILE}.
 *
 * <p>The release candidate that the registry holds has no program of its own (1.0.0 brings {@code DspTckSuite}). This
 * one prints what that prints, and before it the tests that the kit's classes define: {@code ENABLED: CN:01-01} or
 * {@code DISABLED: TP:02-04}. A third argument, a regular expression, chooses tests by their ids.
 */
public final class DspTck {

    private static final List<String> PACKAGES = List.of("metadata", "catalog", "cn", "tp").stream()
            .map(name -> "org.eclipse.dataspacetck.dsp.verification." + name)
            .toList();

    /** How the display name of a test begins; that of a class, which holds tests, does not. */
    private static final Pattern TEST = Pattern.compile("^([A-Z_]+:\\d\\d-\\d\\d):");

    public static void main(String[] args) throws IOException {
        announce();
        var chosen = Pattern.compile(args.length > 2 ? args[2] : ".*");
        var monitor = new ConsoleMonitor(false, false);
        var kit = TckRuntime.Builder.newInstance()
                .properties(configuration(Path.of(args[1])))
                .launcher(DspSystemLauncher.class)
                .monitor(monitor)
                .displayNameMatching(name -> idIn(name).map(id -> chosen.matcher(id).matches()).orElse(true));
        PACKAGES.forEach(kit::addPackage);
        var summary = kit.build().execute();
        new ConsoleResultWriter(monitor).output(summary);
        System.out.println("Test run complete");
        // The kit's HTTP server and thread pool would keep the program alive.
        System.exit(summary.getTotalFailureCount() == 0 ? 0 : 1);
    }

    private static Map<String, String> configuration(Path file) throws IOException {
        var properties = new Properties();
        try (var reader = Files.newBufferedReader(file)) {
            properties.load(reader);
        }
        return properties.stringPropertyNames().stream()
                .collect(Collectors.toMap(name -> name, properties::getProperty));
    }

    private static void announce() {
        var request = LauncherDiscoveryRequestBuilder.request()
                .selectors(PACKAGES.stream().map(name -> selectPackage(name)).toList())
                .filters(includeClassNamePatterns(".*Test"))
                .build();
        var plan = LauncherFactory.create().discover(request);
        plan.accept(new TestPlan.Visitor() {
            @Override
            public void visit(TestIdentifier test) {
                test.getSource()
                        .filter(MethodSource.class::isInstance)
                        .map(MethodSource.class::cast)
                        .ifPresent(method -> announce(test, method));
            }
        });
    }

    private static void announce(TestIdentifier test, MethodSource method) {
        var disabled = method.getJavaMethod().isAnnotationPresent(Disabled.class)
                || method.getJavaClass().isAnnotationPresent(Disabled.class);
        var name = test.getDisplayName();
        System.out.printf("%s: %s%n", disabled ? "DISABLED" : "ENABLED", idIn(name).orElse(name));
    }

    private static Optional<String> idIn(String displayName) {
        return TEST.matcher(displayName).results().map(found -> found.group(1)).findFirst();
    }

    private DspTck() {}
}
