/* The context switch of x86-64, System V. The saved frame, from the saved stack pointer up:
 *   0 mxcsr, 4 x87 control word, 8 r15, 16 r14, 24 r13, 32 r12, 40 rbx, 48 rbp, 56 return address
 * Both stacks have the same layout at the moment of the exchange, so the unwind information holds
 * on either side of it. */

        .text

/* void rt_switch(void **save_sp, void *load_sp) */
        .globl  rt_switch
        .hidden rt_switch
        .type   rt_switch, @function
        .p2align 4
rt_switch:
        .cfi_startproc
        pushq   %rbp
        .cfi_def_cfa_offset 16
        .cfi_offset %rbp, -16
        pushq   %rbx
        .cfi_def_cfa_offset 24
        .cfi_offset %rbx, -24
        pushq   %r12
        .cfi_def_cfa_offset 32
        .cfi_offset %r12, -32
        pushq   %r13
        .cfi_def_cfa_offset 40
        .cfi_offset %r13, -40
        pushq   %r14
        .cfi_def_cfa_offset 48
        .cfi_offset %r14, -48
        pushq   %r15
        .cfi_def_cfa_offset 56
        .cfi_offset %r15, -56
        subq    $8, %rsp
        .cfi_def_cfa_offset 64
        stmxcsr (%rsp)
        fnstcw  4(%rsp)
        movzwl  4(%rsp), %eax
        movq    %rsp, (%rdi)
        movq    %rsi, %rsp
        cmpw    4(%rsp), %ax
        je      1f
        fnclex                  /* what was masked there would be raised here, for who did not do it */
        fldcw   4(%rsp)
1:
        ldmxcsr (%rsp)
        addq    $8, %rsp
        .cfi_def_cfa_offset 56
        popq    %r15
        .cfi_def_cfa_offset 48
        .cfi_restore %r15
        popq    %r14
        .cfi_def_cfa_offset 40
        .cfi_restore %r14
        popq    %r13
        .cfi_def_cfa_offset 32
        .cfi_restore %r13
        popq    %r12
        .cfi_def_cfa_offset 24
        .cfi_restore %r12
        popq    %rbx
        .cfi_def_cfa_offset 16
        .cfi_restore %rbx
        popq    %rbp
        .cfi_def_cfa_offset 8
        .cfi_restore %rbp
        ret
        .cfi_endproc
        .size   rt_switch, . - rt_switch

/* Where a new task begins: the outermost frame of its stack. The task is in r12. */
        .globl  taskrt_task_entry
        .type   taskrt_task_entry, @function
        .p2align 4
taskrt_task_entry:
        .cfi_startproc
        .cfi_undefined %rip
        .cfi_def_cfa %rsp, 0
        nop     /* a task begins after it: unwinders look at the address minus one */
        xorl    %ebp, %ebp
        movq    %r12, %rdi
        call    rt_task_main
        ud2
        .cfi_endproc
        .size   taskrt_task_entry, . - taskrt_task_entry

        .section .note.GNU-stack, "", @progbits
