# The DPO paper's figures as tables: what a policy earns for how far it goes from the reference, over losses and
# betas; and how often it beats the better completion of the pair, over temperatures.
#
#	make -f figures.mk BIN=../../build/release/bin
#
# Unlike the Makefile's report, these judge what the policies write: samples, scored by the grammar.

.DEFAULT_GOAL := figures
include Makefile

# Policies: LOSS_BETA; a loss without a beta has 0. The unlikelihood baseline makes chosen completions likelier and
# ALPHA times as much rejected ones unlikelier, without end: it is slic with a margin that nothing reaches.
FRONTIER = sigmoid_0.05 sigmoid_0.1 sigmoid_0.5 sigmoid_1 sigmoid_5 ipo-sum_0.05 ipo-sum_0.2 ipo-sum_1 sft_0 \
	unlikelihood_0.05 unlikelihood_0.5 unlikelihood_1
RACE     = sft_0 sigmoid_0.1 sigmoid_0.5
HEAT     = 0.1 0.25 0.5 0.75 1

F = $(OUT)/figures
part = $(word $(1),$(subst _, ,$(2)))
loss = $(if $(filter sft,$(1)),--loss sft,$(if $(filter unlikelihood,$(1)),--loss slic --beta 1000000 \
	--nll $(shell awk 'BEGIN { print 1 / $(2) - 1 }'),--loss $(subst -,_,$(1)) --beta $(2)))
DIGITS = s/.*"logp.ref":\[\([-0-9.e]*\)\].*"logp.sample":\[\([-0-9.e]*\)\].*/\1 \2/

figures: $(F)/frontier.txt $(F)/race.txt
	@cat $^

# ---- policies, all from the same start and with the same steps

$(F)/%/model.safetensors: $(OUT)/train.ref.tsz $(OUT)/sft/model.safetensors $(OUT)/policy.settings
	@mkdir -p $(F)
	dpo-step -q -m $(OUT)/sft $(call loss,$(call part,1,$*),$(call part,2,$*)) $(DPO) --seed $(SEED) \
		$(THREADS_OPTION) -o $(F)/$* $<

# The reference itself.
$(F)/start/model.safetensors: $(OUT)/sft/model.safetensors
	@mkdir -p $(F)
	rm -rf $(F)/start && cp -r $(OUT)/sft $(F)/start

# ---- what they write: one completion for each prompt of the test, at a temperature

.SECONDEXPANSION:
$(F)/%.tsz: $$(@D)/model.safetensors $(OUT)/test.tokens.tsz
	lm-sample -q -m $(@D) --temperature $(notdir $*) --max-new 100 --seed $(SEED) $(THREADS_OPTION) $(OUT)/test.tokens.tsz | \
		ref-logp -q -m $(OUT)/sft $(THREADS_OPTION) -o $@

$(F)/%.text: $(F)/%.tsz
	tokenize -q --decode -m model $< | tstream export >$@

# ---- scores

# Reward, its standard error, and the distance: the mean of log policy - log reference over what the policy wrote.
$(F)/%.point: $(F)/%.text score.awk
	tstream export $(F)/$*.tsz | sed '$(DIGITS)' | awk '{ kl += $$2 - $$1 } END { printf "%.2f ", kl / NR }' >$@
	awk -f score.awk grammar.txt $< >>$@

$(F)/frontier.txt: $(foreach p,start $(FRONTIER),$(F)/$(p)/1.point)
	awk 'BEGIN { print "policy              KL, nats   reward   its standard error" } { n = split(FILENAME, part, "/"); \
		printf "%-20s%8.2f%9.2f%12.2f\n", part[n - 1], $$1, $$2, $$3 }' $^ >$@

# How often the score is above the better completion's; equal ones count half.
$(F)/%.wins: $(F)/%.text score.awk $(OUT)/pairs.jsonl
	tail -n $(TESTS) $(OUT)/pairs.jsonl | awk -f score.awk grammar.txt $< - >$@

$(F)/race.txt: $(foreach p,start $(RACE),$(foreach t,$(HEAT),$(F)/$(p)/$(t).wins))
	awk 'BEGIN { print "\npolicy              temperature   wins" } { n = split(FILENAME, part, "/"); sub(/.wins/, "", part[n]); \
		printf "%-20s%11.2f%6.1f %%\n", part[n - 1], part[n], 100 * $$1 }' $^ >$@

.PHONY: figures
.PRECIOUS: $(F)/%.tsz $(F)/%/model.safetensors
