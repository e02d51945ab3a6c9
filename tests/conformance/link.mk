# The C side of `make conformance`: read after the Makefile, whose variables it uses.
conformance_objects := $(call objects,$(wildcard tests/conformance/*.c))
$(BUILD)/conformance: $(conformance_objects) $(BUILD)/libstage5.a
	$(Q)$(CC) $(LDFLAGS) -o $@.$$$$ $^ $(LDLIBS) && mv $@.$$$$ $@
